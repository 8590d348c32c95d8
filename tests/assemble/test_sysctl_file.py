"""Kernel parameters that are looked for when they are asked for say what the parser of the whole file says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.assemble.reading import Folder, Reading
from podpath.assemble.sysctl_file import sysctls_of
from podpath.parse.sysctl import parse_sysctl

FILE = "nodes/n1/sysctl"


class Counted(dict[str, bytes]):
    """Files, and how often they were read."""

    reads = 0

    def get(self, key, default=None):
        self.reads += 1
        return super().get(key, default)


def lazily(text: str):
    files = Counted({FILE: text.encode()})
    return sysctls_of(Folder(Reading(files, large=True), "nodes/n1")), files


KEYS = st.sampled_from(
    [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.eth0.rp_filter",
        "net.ipv4.conf.eth0/100.rp_filter",
        "a.b",
        "a.bc",
        "x.a.b",
    ]
)
LINES = st.lists(st.tuples(KEYS, st.sampled_from(["0", "1", "", "4096\t131072", "a = b", "/x"])), max_size=12)


@given(
    lines=LINES,
    between=st.sampled_from([" = ", "=", " =\t"]),
    asked=KEYS,
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_key_has_the_value_and_the_line_that_the_parser_gives_it(lines, between, asked, end):
    text = "".join(f"{key}{between}{value}{end}" for key, value in lines)
    known, whole = lazily(text)[0], parse_sysctl(text, FILE)[0]
    assert known.get(asked) == whole.get(asked)
    assert known.origin(asked) == whole.origin(asked)
    assert known.values == whole.values
    assert known.lines == whole.lines


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("net/ipv4/conf/eth0.100/rp_filter = 2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("  net.ipv4.ip_forward = 1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_forward   =\t1 ", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.eth0.proxy_arp_pvlan = 1", "net.ipv4.conf.eth0.proxy_arp", None),
    ],
)
def test_other_spellings_are_left_to_the_parser(line, key, value):
    assert lazily(f"a.b = 0\n{line}\n")[0].get(key) == value


def test_a_key_is_looked_for_once():
    known, files = lazily("a.b = 1\n")
    assert [known.get("a.b"), known.get("a.b"), known.get("c.d"), known.get("c.d")] == ["1", "1", None, None]
    assert files.reads == 1


def test_a_changed_copy_has_all_the_others():
    changed = lazily("net.ipv4.ip_forward = 1\na.b = 7\n")[0].with_value("net.ipv4.ip_forward", "0")
    assert (changed.get("net.ipv4.ip_forward"), changed.get("a.b")) == ("0", "7")


def test_a_namespace_without_the_file_has_none():
    assert sysctls_of(Folder(Reading({}, large=False), "nodes/n1")) is None
