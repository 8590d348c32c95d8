"""``tc -s -j qdisc`` and ``tc filter``."""

import json

import pytest

from podpath.parse.tc import parse_tc_filter, parse_tc_qdisc


def qdisc(**fields):
    (found,), lost = parse_tc_qdisc(
        json.dumps([{"dev": "eth0", "handle": "8001:", "root": True} | fields]), "f"
    )
    assert lost == ()
    return found


def test_a_discipline_and_its_counters():
    found = qdisc(kind="fq_codel", drops=7, backlog=100, qlen=2, options={"limit": 10240})
    assert (found.dev, found.kind, found.root, found.drops, found.qlen, found.options) == (
        "eth0",
        "fq_codel",
        True,
        7,
        2,
        "",
    )
    assert found.origin.text == "qdisc fq_codel 8001: dev eth0 root dropped 7"


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("tbf", {"rate": 125000, "burst": 10240, "lat": 50000}, "rate 125000 burst 10240 lat 50000"),
        ("netem", {"limit": 1000, "delay": {"delay": 0.005, "jitter": 0}, "loss-random": {"loss": 0.1}, "ecn": False},
         "limit 1000 delay.delay 0.005 loss-random.loss 0.1"),
    ],
)  # fmt: skip
def test_what_loses_packets_on_purpose_says_how(kind, options, words):
    assert qdisc(kind=kind, options=options).options == words


# iproute2 6.1; Cilium's programs
FILTERS = """\
# dev eth0 ingress
filter protocol all pref 1 bpf chain 0
filter protocol all pref 1 bpf chain 0 handle 0x1 cil_from_netdev-eth0 direct-action not_in_hw id 3521 tag 4a8 jited
# dev eth0 egress
filter protocol ip pref 30 flower chain 0
filter protocol ip pref 30 flower chain 0 handle 0x1
  eth_type ipv4
  dst_port 80
  not_in_hw
\taction order 1: gact action drop
\t random type none pass val 0
filter dev veth1 parent ffff: protocol ip pref 10 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 not_in_hw
  match 0a000001/ffffffff at 16
\taction order 1: mirred (Egress Redirect to device ifb0) stolen
"""


def test_filters_and_what_they_do():
    found, lost = parse_tc_filter(FILTERS, "f")
    assert [(one.dev, one.parent, one.kind, one.bpf, one.actions) for one in found] == [
        ("eth0", "ingress", "bpf", True, ("direct-action",)),
        ("eth0", "egress", "flower", False, ("gact drop",)),
        ("veth1", "ingress", "u32", False, ("mirred redirect",)),
    ]
    assert ([one.origin.line for one in found], lost) == ([3, 6, 12], ())


def test_nothing_is_no_filter():
    assert parse_tc_filter("", "f") == ((), ())


def test_what_is_no_filter_is_kept_aside():
    assert len(parse_tc_filter('Cannot find device "eth7"\n  more\n', "f")[1]) == 2
