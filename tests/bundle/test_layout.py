"""The table of names knows every file of the real bundles."""

import pytest

from podpath.bundle import open_bundle
from podpath.bundle.layout import (
    AGAIN_SOURCES,
    API_KINDS,
    NODE_SOURCES,
    POD_SOURCES,
    node_source,
    pod_source,
    source_of,
)


def test_every_file_of_a_real_bundle_is_known(packed_bundle):
    with open_bundle(packed_bundle) as bundle:
        files = [path for path in bundle.files() if path.startswith("nodes/")]
        assert [path for path in files if source_of(path) is None] == []
        assert set(bundle.api_kinds()) <= API_KINDS.keys()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ss", "ss"), ("again/snmp", "snmp"), ("cni-net.d/10-flannel.conflist", "cni-net.d/*"),
        ("ethtool-eth0", "ethtool-*"), ("proxy-healthz.err", "*.err"), ("ipvsadm", "ipvsadm"),
    ],
)  # fmt: skip
def test_a_node_source_is_found_by_its_file_name(name, found):
    source = node_source(name)
    assert source
    assert source.name == found


def test_an_unknown_name_has_no_source():
    assert node_source("holiday.jpg") is None
    assert pod_source("ipset-save") is None
    assert source_of("api/pods.json") is None


def test_what_is_sampled_again_is_a_source():
    assert all(node_source(f"again/{name}") for name in AGAIN_SOURCES)


def test_no_name_stands_twice_and_every_source_says_what_it_is_for():
    for table in (NODE_SOURCES, POD_SOURCES):
        assert len({source.name for source in table}) == len(table)
        assert all(source.command and source.needed_for for source in table)
