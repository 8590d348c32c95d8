"""manifest.json: what was asked, what came back."""

import pytest

from podpath.bundle import BundleError
from podpath.bundle.manifest import Manifest, SourceStatus, created_at, decode, encode

MANIFEST = Manifest(
    tool_version="0.1.0",
    created="2026-11-25T01:46:31Z",
    cluster="prod-eu",
    sources={
        "nodes/n1/ss": SourceStatus("ss -tuanpemiO", exit_status=0, seconds=0.02, bytes=812),
        "nodes/n1/selinux": SourceStatus("getenforce", error="permission denied"),
    },
)


def test_what_is_encoded_is_decoded():
    assert decode(encode(MANIFEST)) == MANIFEST


def test_sources_are_written_in_order():
    text = encode(MANIFEST).decode()
    assert text.index("nodes/n1/selinux") < text.index("nodes/n1/ss")
    assert text.endswith("}\n")


def test_a_minor_version_and_unknown_fields_are_accepted():
    assert (
        decode(
            b'{"schema":"podpath.bundle/v1.7","created":"2026-11-25T01:46:31+01:00","mood":"good"}'
        ).sources
        == {}
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"schema":"podpath.bundle/v2","created":"2026-11-25T01:46:31Z"}', "podpath.bundle/v2"),
        (b'{"schema":"podpath.bundle/v11","created":"2026-11-25T01:46:31Z"}', "podpath.bundle/v11"),
        (b'{"created":"2026-11-25T01:46:31Z"}', "schema"),
        (b'{"schema":"podpath.bundle/v1"}', "created"),
        (b'{"schema":"podpath.bundle/v1","created":"yesterday"}', "yesterday"),
        (b'{"schema":', "not a manifest"),
        (b"[]", "not a manifest"),
        (b"\xff\xfe", "not a manifest"),
        (b"", "not a manifest"),
    ],
)
def test_what_is_no_manifest_of_this_version_is_refused_by_a_sentence(content, says):
    with pytest.raises(BundleError, match=says) as error:
        decode(content, "x.tar: manifest.json")
    assert str(error.value).startswith("x.tar: manifest.json: ")


def test_the_time_is_in_seconds_since_1970():
    assert created_at(Manifest(created="1970-01-01T01:00:00+01:00")) == 0
    assert created_at(Manifest(created="1970-01-01T00:01:00")) == 60
