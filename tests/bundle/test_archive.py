"""Reading a bundle that is an archive: what it may be, and what it may not do to us."""

import contextlib
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from podpath.bundle import BundleError, open_bundle
from podpath.bundle.archive import LIMITS, Limits, unpack
from tests.bundle.archives import FILES, member, tar, tar_of

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def refused(content: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(BundleError) as error:
        unpack(io.BytesIO(content), "x.tar", limits)
    assert str(error.value).startswith("x.tar")
    return str(error.value)


@pytest.mark.parametrize("compression", COMPRESS)
def test_the_compression_is_told_by_content_and_not_by_name(tmp_path, compression):
    (tmp_path / "prod.tar.gz").write_bytes(COMPRESS[compression](tar()))
    with open_bundle(tmp_path / "prod.tar.gz") as bundle:
        assert bundle.name == "prod"
        assert {path: bundle.read(path) for path in bundle.files()} == FILES
        assert bundle.nodes() == ("n1", "n2")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_is_read_with_long_names(tmp_path, form):
    files = FILES | {f"nodes/{'n' * 90}/pods/{'p' * 50}/ss": b"x"}
    (tmp_path / "a.tar").write_bytes(tar(files, "./", form))
    bundle = open_bundle(tmp_path / "a.tar")
    assert list(bundle.files()) == sorted(files)
    assert bundle.pods("n" * 90) == ("p" * 50,)


def test_a_bundle_may_lie_in_one_folder_of_the_archive(tmp_path):
    (tmp_path / "a.tgz").write_bytes(gzip.compress(tar(FILES, "./prod-eu/")))
    bundle = open_bundle(tmp_path / "a.tgz")
    assert list(bundle.files()) == sorted(FILES)
    assert bundle.api_kinds() == ("pods",)


def test_nodes_are_listed_in_order_whatever_their_names(tmp_path):
    names = ["n1", "n1-a", "n1.b", "n10", "n0"]
    (tmp_path / "a.tar").write_bytes(tar({f"nodes/{name}/ss": b"" for name in names}))
    assert open_bundle(tmp_path / "a.tar").nodes() == tuple(sorted(names))


def test_an_archive_of_a_folder_lists_what_the_folder_lists(tmp_path, corpus):
    with open_bundle(corpus["dual-healthy"]) as packed:
        for path in packed.files():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(packed.read(path))
        folder = open_bundle(tmp_path)
        assert folder.files() == packed.files()
        assert folder.nodes() == packed.nodes() == ("n1", "n2", "n3")
        assert folder.api_kinds() == packed.api_kinds()
        for node in folder.nodes():
            assert folder.pods(node) == packed.pods(node) != ()
            assert folder.node_sources(node) == packed.node_sources(node)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (member("/etc/passwd"), "/etc/passwd is an absolute path"),
        (member("nodes/../../x"), "climbs out"),
        (member("nodes/n1/a", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link to /etc/passwd"),
        (member("nodes/n1/a", type=tarfile.LNKTYPE, linkname="nodes/n1/ss"), "is a link"),
        (member("nodes/n1/a", type=tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("nodes/n1/a", type=tarfile.CHRTYPE), "neither a file nor a folder"),
        (member("nodes/n1/a", type=tarfile.BLKTYPE), "neither a file nor a folder"),
        (member("nodes/n1/a", type=tarfile.GNUTYPE_SPARSE), "sparse"),
        (member("./nodes//n1/ss"), "is there twice"),
        (member("nodes/n1/a\nb"), "unprintable characters"),
        (member("nodes/n1/\udcff"), "not UTF-8"),
        (member("nodes/n1/" + "a" * 5000), "more than 4096"),
    ],
)
def test_an_unsafe_member_is_refused_by_name_and_reason(bad, says):
    assert says in refused(tar_of([*(member(path, content) for path, content in FILES.items()), bad]))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(files=2), "limit is 2 files"),
        (Limits(file_bytes=20), "nodes/n2/sysctl claims 24 bytes"),
        (Limits(total_bytes=2000), "more than 2000 bytes"),
    ],
)
def test_an_archive_beyond_a_limit_is_refused(limits, says):
    assert says in refused(tar(), limits)


@pytest.mark.parametrize("compression", ["gz", "xz", "zst"])
def test_a_decompression_bomb_is_stopped(compression):
    bomb = COMPRESS[compression](tar(FILES | {"nodes/n1/dmesg": bytes(66 << 20)}))
    assert "with nodes/n1/dmesg it unpacks to more than 200 times its size" in refused(bomb)


def test_an_enormous_header_is_not_read_into_memory():
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    members = 1024 * len(FILES)
    assert "extended header of 4294967296 bytes" in refused(tar()[:members] + header.tobuf() + bytes(10240))


def test_a_large_archive_lies_in_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    packed = unpack(io.BytesIO(tar()), "x.tar", Limits(in_memory=10))
    packed.settle("")
    assert packed.read("nodes/n2/sysctl") == FILES["nodes/n2/sysctl"]
    assert list(tmp_path.iterdir()) == []
    packed.close()


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_truncated_archive_is_never_taken_for_a_shorter_one(compression):
    whole = COMPRESS[compression](tar({f"nodes/n{i}/ss": os.urandom(700) for i in range(9)}))
    for size in range(1, len(whole) - (10240 if compression == "tar" else 8), 97):
        message = refused(whole[:size])
        assert "damaged or cut off" in message or "no tar archive" in message


def test_a_header_with_a_wrong_checksum_is_damage_and_not_the_end():
    content = bytearray(tar())
    content[1024 + 5] ^= 1
    assert "damaged or cut off behind nodes/n1/ss" in refused(bytes(content))


def test_a_damaged_checksum_behind_the_content_is_noticed():
    content = bytearray(gzip.compress(tar()))
    content[-6] ^= 1
    assert "damaged" in refused(bytes(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"apiVersion: v1\n", "no tar archive"),
        (b"x" * 5000, "no tar archive"),
        (b"PK\x03\x04" + bytes(600), "a zip file"),
        (b"BZh91AY&SY", "bzip2"),
        (gzip.compress(b"hello"), "no tar archive inside its gzip compression"),
        (bytes(10240), "no files"),
        (tar_of([member("nodes/n1", type=tarfile.DIRTYPE)]), "no files"),
    ],
    ids=["empty", "text", "noise", "zip", "bzip2", "gzip of a text", "zeros", "folders alone"],
)
def test_what_is_no_archive_is_told_by_a_sentence(content, says):
    assert says in refused(content)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"readme": b""}, "no nodes/ or api/"),
        ({"a/nodes/n1/ss": b"", "b/api/pods.json": b""}, "holds 2 bundles (a, b)"),
    ],
)
def test_an_archive_without_one_bundle_in_it_is_refused(tmp_path, files, says):
    (tmp_path / "a.tar").write_bytes(tar(files))
    with pytest.raises(BundleError) as error:
        open_bundle(tmp_path / "a.tar")
    assert says in str(error.value)


@pytest.fixture(scope="module")
def mutant(tmp_path_factory):
    return tmp_path_factory.mktemp("mutant") / "x.tar"


@given(st.data(), st.sampled_from(sorted(COMPRESS)))
def test_a_damaged_archive_is_read_or_refused_and_nothing_else(mutant, data, compression):
    content = bytearray(
        COMPRESS[compression](tar(FILES | {"nodes/é/ss": b"1"}, form=data.draw(st.integers(0, 2))))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    mutant.write_bytes(
        bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    )
    with contextlib.suppress(BundleError), open_bundle(mutant) as bundle:
        assert [bundle.read(path) for path in bundle.files()]


@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"]),
)
def test_noise_is_refused(content, magic):
    assert refused(magic + content)
