"""Writing a bundle: redacted, reproducible, whole or not at all."""

import os
import stat
import tarfile

import pytest

from podpath.bundle import BundleError, Manifest, SourceStatus, open_bundle, write_bundle
from podpath.bundle.archive import Limits
from podpath.bundle.packing import write_archive
from tests.bundle.archives import FILES

MANIFEST = Manifest(
    created="2026-11-25T01:46:31Z", cluster="c", sources={"nodes/n1/ss": SourceStatus("ss", exit_status=0)}
)
TARGETS = ["b.tar", "b.tar.gz", "b.tgz", "b.tar.xz", "b.tar.zst", "b"]


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_written_is_read(tmp_path, target):
    write_bundle(tmp_path / target, FILES.items(), MANIFEST)
    with open_bundle(tmp_path / target) as bundle:
        assert bundle.name == "b"
        assert bundle.manifest == MANIFEST
        assert {path: bundle.read(path) for path in bundle.files() if path != "manifest.json"} == FILES
    assert list(tmp_path.iterdir()) == [tmp_path / target]


@pytest.mark.parametrize("target", TARGETS[:-1])
def test_the_same_files_give_the_same_bytes_in_any_order(tmp_path, target):
    other = f"other{target[1:]}"
    write_bundle(tmp_path / target, FILES.items(), MANIFEST)
    write_bundle(tmp_path / other, reversed(FILES.items()), MANIFEST)
    assert (tmp_path / target).read_bytes() == (tmp_path / other).read_bytes()


def test_members_carry_the_manifests_time_and_nobodys_name(tmp_path):
    write_bundle(tmp_path / "b.tar", FILES.items(), MANIFEST)
    with tarfile.open(tmp_path / "b.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted([*FILES, "manifest.json"])
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {
        (1795571191, 0, 0, "")
    }


def test_long_paths_survive(tmp_path):
    path = f"nodes/{'n' * 250}/pods/{'p' * 250}/ip-addr.json"
    write_bundle(tmp_path / "b.tar.xz", [(path, b"[]")], MANIFEST)
    assert open_bundle(tmp_path / "b.tar.xz").read(path) == b"[]"


@pytest.mark.parametrize("target", ["b.tar.zst", "b"])
def test_nothing_is_left_behind_an_exception(tmp_path, target):
    def files():
        yield from FILES.items()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / target, files(), MANIFEST)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["b.tar.zst", "b"])
def test_nothing_is_left_when_the_file_system_refuses(tmp_path, target, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("os.rename", full)
    with pytest.raises(BundleError, match=r"cannot be written \(No space left"):
        write_bundle(tmp_path / target, FILES.items(), MANIFEST)
    assert not any(tmp_path.iterdir())


def test_every_file_is_redacted_and_told(tmp_path):
    secret = (
        b'{"kind":"PodList","items":[{"spec":{"containers":[{"env":[{"name":"DB","value":"hunter2"}]}]}}]}'
    )
    removed = write_bundle(
        tmp_path / "b.tar", [("api/pods.json", secret), ("nodes/n1/logs", b"a\nBearer abc123def\n")], MANIFEST
    )
    assert removed == [
        "api/pods.json: items[0].spec.containers[0].env[0].value: value of DB",
        "nodes/n1/logs: line 2: authorization header",
    ]
    content = (tmp_path / "b.tar").read_bytes()
    assert b"hunter2" not in content
    assert b"abc123def" not in content


@pytest.mark.parametrize("path", ["api/secrets.json", "./api//secrets.json", "api/Secrets.v1.json"])
def test_secrets_are_never_written(tmp_path, path):
    with pytest.raises(BundleError, match="Secrets never go into a bundle"):
        write_bundle(tmp_path / "b.tar", [*FILES.items(), (path, b'{"items":[]}')], MANIFEST)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([("../x", b"")], "climbs out"),
        ([("/etc/x", b"")], "absolute"),
        ([("nodes/n1/ss", b""), ("nodes/./n1/ss", b"")], "given twice"),
        ([("manifest.json", b"{}")], "given twice"),
        ([("notes", b"")], "nothing to write"),
    ],
)
def test_what_no_bundle_can_hold_is_refused(tmp_path, files, says):
    with pytest.raises(BundleError, match=says):
        write_bundle(tmp_path / "b.tar", files, MANIFEST)


def test_nodes_that_are_alike_are_not_taken_for_a_bomb(tmp_path):
    sysctl = os.urandom(100_000).hex().encode()
    write_bundle(tmp_path / "b.tar.zst", ((f"nodes/n{i}/sysctl", sysctl) for i in range(400)), MANIFEST)
    with open_bundle(tmp_path / "b.tar.zst") as bundle:
        assert len(bundle.nodes()) == 400


def test_what_a_reader_would_refuse_is_not_written(tmp_path):
    with pytest.raises(BundleError, match="decompression bomb"):
        write_bundle(tmp_path / "b.tar.xz", [("nodes/n1/dmesg", bytes(66 << 20))], MANIFEST)
    for limits in (Limits(files=2), Limits(file_bytes=20), Limits(total_bytes=1000)):
        with pytest.raises(BundleError, match="more than an archive may hold"):
            write_archive(str(tmp_path / "b.tar"), sorted(FILES.items()), 0, limits)
    assert not any(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path):
    write_bundle(tmp_path / "b", FILES.items(), MANIFEST)
    with pytest.raises(BundleError, match="there already"):
        write_bundle(tmp_path / "b", FILES.items(), MANIFEST)
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "gone" / "b.tar", FILES.items(), MANIFEST)


def test_others_may_not_read_it(tmp_path):
    write_bundle(tmp_path / "b.tar", FILES.items(), MANIFEST)
    write_bundle(tmp_path / "b", FILES.items(), MANIFEST)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o77 for name in ("b", "b.tar")] == [0, 0]


def test_a_real_bundle_survives_and_its_nodes_are_unchanged(tmp_path, corpus):
    with open_bundle(corpus["policy-forgets-dns"]) as bundle:
        write_bundle(tmp_path / "b.tar.zst", ((path, bundle.read(path)) for path in bundle.files()), MANIFEST)
        copy = open_bundle(tmp_path / "b.tar.zst")
        assert set(copy.files()) == {*bundle.files(), "manifest.json"}
        nodes = [path for path in bundle.files() if path.startswith("nodes/")]
        assert all(copy.read(path) == bundle.read(path) for path in nodes)
