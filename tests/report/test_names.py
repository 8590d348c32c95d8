"""Names for addresses."""

import pytest

from podpath.model.addr import parse_addr
from podpath.model.linux.link import InterfaceAddress
from podpath.model.network import Netns
from podpath.model.refs import node_netns
from podpath.report.names import Names
from tests.report.made import three_nodes


@pytest.fixture(scope="module")
def names():
    addresses = (
        InterfaceAddress("cni0", parse_addr("10.244.2.1"), 24),
        InterfaceAddress("cni0", parse_addr("fd00::1"), 64),
    )
    return Names(three_nodes().with_netns(Netns(node_netns("n2"), "n2", "nodes/n2", addresses=addresses)))


@pytest.mark.parametrize(
    ("addr", "name"),
    [
        ("10.244.2.5", "shop/api-2"),
        ("10.96.0.20", "Service shop/api"),
        ("172.30.0.12", "n2"),
        ("10.244.2.1", "cni0 of n2"),
        ("192.0.2.1", ""),
    ],
)
def test_an_address_has_the_name_of_its_holder(names, addr, name):
    assert names.addr(parse_addr(addr)) == name


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("via 10.244.2.1 dev eth0", "via 10.244.2.1 (cni0 of n2) dev eth0"),
        ("id 1 to 172.30.0.12:8472", "id 1 to 172.30.0.12:8472 (n2)"),
        ("nothing listens on 10.244.2.5:80/tcp", "nothing listens on 10.244.2.5:80/tcp (shop/api-2)"),
        ("10.244.2.5, 10.244.2.5", "10.244.2.5 (shop/api-2), 10.244.2.5 (shop/api-2)"),
        ("via fd00::1 dev cni0", "via fd00::1 (cni0 of n2) dev cni0"),
        ("10.244.2.0/24 dev cni0", "10.244.2.0/24 dev cni0"),
        ("10.96.0.20/32", "10.96.0.20/32"),
        ("shop/api-2 10.244.2.5", "shop/api-2 10.244.2.5"),
        ("lladdr 02:42:ac:1e:00:0c", "lladdr 02:42:ac:1e:00:0c"),
        ("999.1.1.1 and v1.36.3.1", "999.1.1.1 and v1.36.3.1"),
    ],
)
def test_addresses_in_running_text_get_their_names(names, text, named):
    assert names.annotated(text) == named


def test_a_service_is_told_with_its_ports_name(names):
    assert names.endpoint(parse_addr("10.96.0.20"), 80) == "Service shop/api:http 10.96.0.20:80"
    assert names.endpoint(parse_addr("10.244.2.5"), 8080) == "shop/api-2 10.244.2.5:8080"
    assert names.endpoint(parse_addr("192.0.2.1"), 0) == "192.0.2.1"


def test_a_pod_is_placed_on_its_node(names):
    assert names.place(parse_addr("10.244.2.5")) == "shop/api-2 on n2"
    assert names.place(parse_addr("192.0.2.1")) == "192.0.2.1"
