"""Every dependency and every lint exception carries its reason."""

import re

from tests.meta.source import ROOT

LIST = re.compile(
    r'^("?(?:dependencies|dev|ignore|src/|tests/|bench/)\S*) = \[\n(.*?)^\]', re.MULTILINE | re.DOTALL
)


def test_an_entry_has_its_reason_beside_it():
    lists = LIST.findall((ROOT / "pyproject.toml").read_text("utf-8"))
    assert len(lists) > 5, "the lists of pyproject.toml were not found"
    assert [line for _, entries in lists for line in entries.splitlines() if "#" not in line] == []
