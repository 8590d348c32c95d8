"""``conntrack -S``."""

from podpath.parse.conntrack_stats import parse_conntrack_stats


def test_a_line_for_each_cpu():
    found, lost = parse_conntrack_stats("cpu=0   \tfound=0 invalid=2 \ncpu=3   \tfound=0 invalid=0 \n", "f")
    assert [(one.cpu, one.counters["invalid"], one.origin.line) for one in found] == [(0, 2, 1), (3, 0, 2)]
    assert lost == ()


def test_other_lines_are_kept_aside():
    assert len(parse_conntrack_stats("conntrack v1.4.7: Operation failed\nfound=1\n", "f")[1]) == 2
