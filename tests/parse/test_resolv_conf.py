"""``/etc/resolv.conf`` as glibc reads it."""

import pytest

from podpath.model.addr import format_addr
from podpath.parse.resolv_conf import parse_resolv_conf


def read(text):
    found, lost = parse_resolv_conf(text, "f")
    assert lost == ()
    return found


def test_a_pods_file():
    found = read(
        "search ops.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5 rotate\n"
    )
    assert ([format_addr(one) for one in found.nameservers], found.ndots) == (["10.96.0.10"], 5)
    assert (found.search, found.options) == (
        ("ops.svc.cluster.local", "svc.cluster.local"),
        {"ndots": "5", "rotate": ""},
    )
    assert (found.nameserver_origins[0].line, found.search_origin.line, found.options_origin.line) == (
        2,
        1,
        3,
    )


def test_nothing_said_means_the_defaults():
    found = read("# only a comment\n; and another\n\n")
    assert (found.nameservers, found.search, found.ndots, found.timeout_s, found.attempts) == (
        (),
        (),
        1,
        5,
        2,
    )


def test_the_fourth_nameserver_is_never_asked():
    found = read("".join(f"nameserver 10.0.0.{host}\n" for host in range(1, 6)))
    assert (len(found.nameservers), len(found.ignored), len(found.nameserver_origins)) == (3, 2, 5)


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("search a b\ndomain c\n", ("c",)),
        ("domain c\nsearch a b\n", ("a", "b")),
        ("search a\nsearch b # not c\n", ("b",)),
        ("search a\nsearch\n", ("a",)),
    ],
)
def test_the_last_search_list_counts(text, search):
    assert read(text).search == search


@pytest.mark.parametrize(
    ("text", "ndots"),
    [("options ndots:3\noptions ndots:2\n", 2), ("options ndots:99\n", 15), ("options ndots:x\n", 1)],
)
def test_ndots(text, ndots):
    assert read(text).ndots == ndots


@pytest.mark.parametrize(
    "text",
    ["nameserver fe80::1%eth0", "nameserver 10.0.0.1 # here", "nameserver\t10.0.0.1", "sortlist 10.0.0.0/8"],
)
def test_lines_that_are_understood(text):
    read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nameserver dns.local", "not an address"),
        ("nameserver", "not an address"),
        ("  nameserver 10.0.0.1", "a keyword must begin its line"),
        ("nameservers 10.0.0.1", "not a keyword of resolv.conf"),
        ("options ndot:5", "not an option of resolv.conf: ndot:5"),
    ],
)
def test_a_line_that_glibc_passes_over_is_kept_aside(text, reason):
    assert [one.reason for one in parse_resolv_conf(text, "f")[1]] == [reason]
