"""Services as kube-proxy writes them, for iptables and for nftables: who reaches whom, and as whom."""

from collections.abc import Iterator

import pytest

from tests.kernel.kube_proxy import Backend, Proxy, Service, iptables, nftables
from tests.kernel.sickbay import SICKBAY
from tests.kernel.topologies import CLUSTER_CIDR, CLUSTER_CIDR6, Scene, cluster, scene

A, B, C = (
    Backend("10.244.1.2", 8080, "n1"),
    Backend("10.244.1.3", 8080, "n1"),
    Backend("10.244.2.2", 8080, "n2"),
)
B6, C6 = Backend("fd44:1::3", 8080, "n1"), Backend("fd44:2::2", 8080, "n2")
BALANCER = "203.0.113.50"
SERVICES = (
    Service("near", "10.96.0.51", 80, (B,), node_port=30051),
    Service("far", "10.96.0.52", 80, (C,), node_port=30052),
    Service("self", "10.96.0.53", 80, (A,)),
    Service("both", "10.96.0.54", 80, (B, C), node_port=30054),
    Service("none", "10.96.0.55", 80, node_port=30055),
    Service("farlocal", "10.96.0.56", 80, (C,), node_port=30056, local=True),
    Service("nearlocal", "10.96.0.57", 80, (B,), node_port=30057, local=True),
    Service("inner", "10.96.0.58", 80, (C,), internal_local=True),
    Service("wrong", "10.96.0.59", 80, (Backend("10.244.2.2", 9, "n2"),)),
    Service("sticky", "10.96.0.60", 80, (B, C), sticky=True),
    Service(
        "ranged", "10.96.0.61", 80, (B,), node_port=30061, balancer=BALANCER, ranges=("192.168.50.2/32",)
    ),
    Service("dns", "10.96.0.10", 53, (Backend("10.244.2.2", 5353, "n2"),), protocol="udp"),
)
SERVICES6 = (
    Service("near", "fd96::51", 80, (B6,), node_port=30051),
    Service("both", "fd96::54", 80, (B6, C6)),
    Service("none", "fd96::55", 80),
)

ALWAYS = (
    ("a cluster address leads to the endpoint on the same node", "a 10.96.0.51:80 ok at b:8080 as a; a 10.96.0.51:80*20000 ok"),
    ("a cluster address leads to the endpoint on another node", "a 10.96.0.52:80 ok at c:8080 as a; c 10.96.0.51:80 ok at b:8080 as c"),
    ("a Pod reaches itself through its Service, seen as the bridge", "a 10.96.0.53:80 ok at a:8080 as cni1"),
    ("a Service with two endpoints leads to one of them", "; ".join(["a 10.96.0.54:80 ok"] * 6)),
    ("a Service without endpoints refuses", "a 10.96.0.55:80 refused; n1 10.96.0.55:80 refused; ext n1:30055 refused"),
    ("a node reaches a Service, masqueraded", "n1 10.96.0.51:80 ok at b:8080 as cni1; n1 10.96.0.52:80 ok at c:8080 as n1"),
    ("a host outside reaches a node port, masqueraded", "ext n1:30052 ok at c:8080 as n1; ext n1:30051 ok at b:8080 as cni1; ext n2:30051 ok at b:8080 as n2"),
    ("externalTrafficPolicy Local without a local endpoint drops", "ext n1:30056 timeout"),
    ("externalTrafficPolicy Local keeps the client's address", "ext n2:30056 ok at c:8080 as ext; ext n1:30057 ok at b:8080 as ext"),
    ("a Pod is spared externalTrafficPolicy Local", "a n1:30056 ok at c:8080; a n2:30056 ok at c:8080"),
    ("a node is spared externalTrafficPolicy Local", "n1 n1:30056 ok at c:8080"),
    ("internalTrafficPolicy Local without a local endpoint drops", "a 10.96.0.58:80 timeout; n1 10.96.0.58:80 timeout"),
    ("internalTrafficPolicy Local with a local endpoint works", "c 10.96.0.58:80 ok at c:8080"),
    ("a wrong target port refuses", "a 10.96.0.59:80 refused; n1 10.96.0.59:80 refused"),
    ("a client without history may stick to either endpoint", "a 10.96.0.60:80 ok"),
    ("UDP Services work", "a udp/10.96.0.10:53 ok at c:5353 as a; n1 udp/10.96.0.10:53 ok at c:5353"),
    ("a Pod reaches node ports of its own node and of others", "a n1:30051 ok at b:8080; a n2:30051 ok at b:8080; c n1:30052 ok at c:8080"),
    ("source ranges bind balancers, not node ports", "ext n1:30061 ok at b:8080"),
    ("a balancer's address within the source ranges works", "n2 10.96.0.61:80 ok"),
    ("a Pod outside the source ranges is dropped at the balancer's address", f"a {BALANCER}:80 timeout"),
    ("a Pod reaches Pods directly", "a b:8080 ok as a; a c:8080 ok as a; a udp/c:53 ok"),
    ("a Pod reaches outside, masqueraded", "a out:80 ok as n1; c out:80 ok as n2"),
    ("IPv6 Services work", "a [fd96::51]:80 ok at b6:8080 as a6; a [fd96::54]:80 ok; c [fd96::51]:80 ok at b6:8080 as c6"),
    ("an IPv6 Service without endpoints refuses", "a [fd96::55]:80 refused|timeout"),
    ("an IPv6 node port works", "a [fd50::1]:30051 ok at b6:8080"),
)  # fmt: skip
BY_IPTABLES = (
    ("iptables: a wrong port of a cluster address leaves by the default route", "a 10.96.0.51:81 timeout|no-net|no-host"),
    ("iptables: node ports are open on 127.0.0.1 with route_localnet", "n2 127.0.0.1:30051 ok at b:8080"),
    ("iptables: node ports are not open on 127.0.0.1 without route_localnet", "n1 127.0.0.1:30051 timeout"),
)  # fmt: skip
BY_NFTABLES = (
    ("nftables: a wrong port of a cluster address refuses", "a 10.96.0.51:81 refused; n1 10.96.0.51:81 refused"),
    ("nftables: an address that no Service has is dropped", "a 10.96.0.99:80 timeout"),
    ("nftables: node ports are not open on 127.0.0.1", "n1 127.0.0.1:30051 refused"),
)  # fmt: skip


@pytest.fixture(scope="module")
def by_iptables() -> Iterator[Scene]:
    """Two nodes with rules for iptables."""
    with scene() as one:
        cluster(one)
        for name in ("n1", "n2"):
            rules = iptables(Proxy(name, one.lab.addresses[name], CLUSTER_CIDR, SERVICES))
            rules6 = iptables(Proxy(name, one.lab.addresses[f"{name}6"], CLUSTER_CIDR6, SERVICES6))
            one.lab[name].sh(
                f"iptables-restore <<'X'\n{rules}X\nip6tables-restore <<'X'\n{rules6}X\n" + MASQUERADE
            )
        one.lab["n2"].sh("sysctl -qw net.ipv4.conf.all.route_localnet=1")
        yield _finished(one)


@pytest.fixture(scope="module")
def by_nftables() -> Iterator[Scene]:
    """Two nodes with rules for nftables."""
    with scene() as one:
        cluster(one)
        for name in ("n1", "n2"):
            rules = nftables(Proxy(name, one.lab.addresses[name], CLUSTER_CIDR, SERVICES))
            rules6 = nftables(Proxy(name, one.lab.addresses[f"{name}6"], CLUSTER_CIDR6, SERVICES6))
            one.lab[name].sh(f"nft -f - <<'X'\n{rules}{rules6}X\n" + MASQUERADE)
        yield _finished(one)


MASQUERADE = "iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"


def _finished(one: Scene) -> Scene:
    for service in SERVICES:
        spec = {
            "clusterIP": service.ip,
            "clusterIPs": [service.ip],
            "ports": [{"port": service.port, "protocol": service.protocol.upper()}],
        }
        status = {"loadBalancer": {"ingress": [{"ip": service.balancer}]}} if service.balancer else {}
        one.lab.objects["services"].append(
            {"metadata": {"name": service.name, "namespace": "t"}, "spec": spec, "status": status}
        )
    one.known = one.lab.network()
    return one


def _cases(*tables: tuple[tuple[str, str], ...]) -> list[object]:
    return [
        pytest.param(
            questions,
            id=sentence,
            marks=[pytest.mark.xfail(reason=SICKBAY[sentence], strict=True)] if sentence in SICKBAY else [],
        )
        for table in tables
        for sentence, questions in table
    ]


@pytest.mark.parametrize("questions", _cases(ALWAYS, BY_IPTABLES))
def test_iptables(by_iptables: Scene, questions):
    by_iptables.check(questions)


@pytest.mark.parametrize("questions", _cases(ALWAYS, BY_NFTABLES))
def test_nftables(by_nftables: Scene, questions):
    by_nftables.check(questions)
