"""What the parsers may say, the packet path can judge: every match, statement and expression has its case."""

from __future__ import annotations

from typing import get_args

from podpath.dataplane import matching
from podpath.model.linux import xtables


def test_every_match_of_iptables_has_a_judge():
    assert set(get_args(xtables.Match)) == set(matching._JUDGES)
