"""Reading a bundle that is a folder."""

import os
from pathlib import Path

import pytest

from podpath.bundle import Bundle, BundleError, open_bundle
from podpath.bundle import folder as folder_module
from tests.bundle.archives import FILES


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "prod", FILES)


def fill(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def refused(path) -> str:
    with pytest.raises(BundleError) as error:
        read_all(path)
    return str(error.value)


def read_all(path):
    with open_bundle(path) as bundle:
        return [bundle.read(name) for name in bundle.files()]


def test_a_folder_is_read_by_path(folder):
    with open_bundle(folder) as bundle:
        assert bundle.name == "prod"
        assert list(bundle.files()) == sorted(FILES)
        assert bundle.read("nodes/n1/ss") == FILES["nodes/n1/ss"]
        assert bundle.manifest is None


def test_nodes_sources_pods_and_kinds_are_listed(folder):
    fill(folder, {
        "nodes/n1/again/snmp": b"", "nodes/n1/cni-net.d/10-x.conflist": b"", "nodes/n1/pods/shop.web-1/ss": b"",
        "nodes/n1/pods/shop.db-0/ip-addr.json": b"", "api/endpointslices.discovery.k8s.io.json": b"", "api/notes": b"",
    })  # fmt: skip
    bundle = open_bundle(folder)
    assert bundle.nodes() == ("n1", "n2")
    assert bundle.node_sources("n1") == ("again/snmp", "cni-net.d/10-x.conflist", "ss")
    assert bundle.pods("n1") == ("shop.db-0", "shop.web-1")
    assert bundle.pod_sources("n1", "shop.web-1") == ("ss",)
    assert bundle.api_kinds() == ("endpointslices.discovery.k8s.io", "pods")
    assert (bundle.pods("n2"), bundle.node_sources("n9"), bundle.pods("n9")) == ((), (), ())


def test_what_is_absent_is_none_or_an_error_that_names_it(folder):
    bundle = open_bundle(folder)
    assert bundle.get("nodes/n1/sysctl") is None
    assert bundle.get("nodes/n1") is None
    assert bundle.get("nodes/n1/ss/x") is None
    with pytest.raises(BundleError, match="nodes/n1/sysctl"):
        bundle.read("nodes/n1/sysctl")


def test_the_error_of_an_absent_file_says_why_it_was_not_collected(folder):
    fill(
        folder,
        {
            "manifest.json": b"""{"schema": "podpath.bundle/v1", "created": "2026-11-25T01:46:31Z", "sources":
        {"nodes/n1/sysctl": {"asked": "sysctl -a", "error": "timed out after 10 s"}}}"""
        },
    )
    bundle = open_bundle(folder)
    status = bundle.status("nodes/n1/sysctl")
    assert status
    assert status.error == "timed out after 10 s"
    assert bundle.status("nodes/n1/ss") is None
    with pytest.raises(BundleError, match="sysctl -a gave timed out after 10 s"):
        bundle.read("nodes/n1/sysctl")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "nodes/../../x", "", "nodes/n1/\x1b[2J"])
def test_no_path_leads_out_of_the_bundle(folder, path):
    with pytest.raises(BundleError, match="nothing in a bundle can have this path"):
        open_bundle(folder).read(path)


@pytest.mark.parametrize("name", ["..", "../../..", "n1/../.."])
def test_no_node_name_leads_out_of_the_bundle(folder, name):
    for listed in (Bundle.node_sources, Bundle.pods):
        with pytest.raises(BundleError, match="climbs out"):
            listed(open_bundle(folder), name)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../prod-outside", "gone", ".", "../n2"])
def test_a_link_that_does_not_lead_to_a_file_inside_is_refused(folder, target):
    (folder.parent / "prod-outside").write_bytes(b"secret")
    (folder / "nodes" / "n1" / "ip-route.json").symlink_to(target)
    assert "ip-route.json is a symbolic link" in refused(folder)


def test_a_link_out_of_the_bundle_is_not_read_either(folder):
    (folder / "nodes" / "n1" / "ip-route.json").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="symbolic link to /etc/passwd"):
        open_bundle(folder).read("nodes/n1/ip-route.json")


def test_a_link_to_a_file_inside_is_followed(folder):
    (folder / "nodes" / "n2" / "ss").symlink_to("../n1/ss")
    assert open_bundle(folder).read("nodes/n2/ss") == FILES["nodes/n1/ss"]


def test_a_folder_that_is_a_link_out_is_not_entered(folder):
    (folder / "nodes" / "n3").symlink_to("/etc")
    with pytest.raises(BundleError, match="symbolic link to /etc"):
        open_bundle(folder).nodes()
    bundle = Bundle("x", folder_module.Folder(str(folder)))
    with pytest.raises(BundleError, match="nodes/n3 is a symbolic link to /etc,"):
        bundle.read("nodes/n3/hostname")
    with pytest.raises(BundleError, match="symbolic link to /etc"):
        bundle.node_sources("n3")


def test_a_fifo_is_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "nodes" / "n1" / "dmesg")
    assert "neither a file nor a folder" in refused(folder)
    with pytest.raises(BundleError, match="not a regular file"):
        open_bundle(folder).read("nodes/n1/dmesg")


def test_a_name_with_control_characters_is_refused(folder):
    (folder / "nodes" / "n1" / "\x1b]0;x\x07").write_bytes(b"")
    assert "unprintable characters" in refused(folder)
    assert "\x1b" not in refused(folder)


def test_a_file_beyond_the_limit_is_refused(folder, monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_FILE_BYTES", 5)
    assert "the limit is 5" in refused(folder)


@pytest.mark.parametrize("call", ["os.open", "os.scandir", "os.stat"])
def test_what_may_not_be_read_is_an_error_that_says_so(folder, monkeypatch, call):
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(call, denied)
    message = refused(folder)
    assert "permission denied" in message.lower()
    assert "as the user who collected it" in message


def test_no_bundle_at_all_is_told_by_a_sentence(tmp_path):
    assert "there is no" in refused(tmp_path / "gone")
    assert "is empty" in refused(tmp_path)
    fill(tmp_path, {"notes.txt": b"", "nodes.txt": b""})
    (tmp_path / "nodes").mkdir()
    assert "no nodes/ or api/" in refused(tmp_path)
    assert "expected a bundle" in refused(tmp_path)
    assert "neither a file nor a folder" in refused("/dev/null")
    assert "expected a bundle" in refused("")
    assert "expected a bundle" in refused("a\0b")


def test_the_folder_around_a_bundle_is_told_where_the_bundle_is(folder):
    assert f"did you mean {folder}?" in refused(folder.parent)


def test_opening_lists_no_node_and_listing_a_node_lists_no_other(tmp_path, monkeypatch):
    scanned = []
    scandir = os.scandir

    def counted(path):
        scanned.append(Path(path).name)
        return scandir(path)

    monkeypatch.setattr("os.scandir", counted)
    bundle = open_bundle(fill(tmp_path, {f"nodes/n{node}/ss": b"" for node in range(50)}))
    assert len(bundle.nodes()) == 50
    assert scanned == ["nodes"]
    assert bundle.node_sources("n7") == ("ss",)
    assert scanned == ["nodes", "n7"]
    assert len(bundle.files()) == 50
    assert scanned.count("n7") == 1
