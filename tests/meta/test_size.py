"""No module grows into the one that nobody can hold in mind."""

from tests.meta.source import modules, place

MOST_LINES = 600  # the aim is a third of it


def test_a_module_can_be_read_in_one_sitting():
    lines = {place(path): path.read_text("utf-8").count("\n") for path in modules()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
