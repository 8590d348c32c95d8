"""The files of a bundle, read when they are asked for."""

import pytest

from podpath.bundle import open_bundle
from podpath.cli.load import Files, load


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "nodes/n1").mkdir(parents=True)
    (tmp_path / "nodes/n2").mkdir()
    (tmp_path / "nodes/n1/ss").write_bytes(b"one")
    (tmp_path / "nodes/n1/sysctl").write_bytes(b"two")
    (tmp_path / "nodes/n2/ss").write_bytes(b"three")
    return open_bundle(tmp_path)


def test_it_is_a_mapping(bundle):
    files = Files(bundle)
    assert list(files) == ["nodes/n1/ss", "nodes/n1/sysctl", "nodes/n2/ss"]
    assert len(files) == 3
    assert files["nodes/n1/ss"] == b"one"
    assert files.get("nodes/n9/ss") is None
    assert "nodes/n2/ss" in files
    with pytest.raises(KeyError):
        files["nodes/n1/../n2/ss"]


def test_a_part_is_found_without_reading_it(bundle):
    files = Files(bundle)
    assert list(files.under("nodes/n1/")) == ["nodes/n1/ss", "nodes/n1/sysctl"]
    assert list(files.under("api/")) == []


def test_a_files_content_is_read_anew(bundle, tmp_path):
    files = Files(bundle)
    (tmp_path / "nodes/n1/ss").write_bytes(b"other")
    assert files["nodes/n1/ss"] == b"other"


def test_the_packaged_bundle_is_called_demo():
    assert load("demo").name == "broken"


def test_a_file_called_demo_comes_first(tmp_path, monkeypatch):
    (tmp_path / "demo/nodes/n1").mkdir(parents=True)
    (tmp_path / "demo/nodes/n1/uname").write_bytes(b"Linux")
    monkeypatch.chdir(tmp_path)
    assert load("demo").name == "demo"
