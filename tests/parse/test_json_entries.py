"""An array of ``ip -j`` is read entry by entry, each with its line."""

import pytest

from podpath.parse.errors import ParseError
from podpath.parse.json_entries import decode_object, file_items, nested_items, parse_entries, switch, word


def names(text):
    return parse_entries(text, "f", lambda fields, item: ((item.line, word(fields, "a")),))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", ()),
        ("\n", ()),
        ("[]", ()),
        ("[ ]\n", ()),
        ("[{},{}]", ()),
        ('[{"a":"x"},{"a":"x"}]', ((1, "x"), (1, "x"))),
        ('[ {\n  "a": "x"\n },{\n  "a": "y"\n } ]\n', ((1, "x"), (3, "y"))),
        ('[\n{"a":"x"},\n\n{"a":"x"}]', ((2, "x"), (4, "x"))),
    ],
)
def test_entries_have_the_line_on_which_they_begin(text, facts):
    assert names(text) == (facts, ())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hello", "f:1:1"),
        ('[{"a":1},\n {"a":}]', "f:2:7"),
        ('{"a":1}', "f:1:1"),
        ("[" * 100_000, "f:1:1"),
        ("\ud800", "f:1:1"),
    ],
)
def test_what_is_no_array_is_an_error_with_its_place(text, place):
    with pytest.raises(ParseError) as caught:
        names(text)
    assert str(caught.value).startswith(place)


def test_an_entry_that_is_not_understood_costs_only_itself():
    facts, lost = names('[{"a":"x"},\n7,{"a":[]}]')
    assert facts == ((1, "x"),)
    assert [(one.origin.line, one.origin.text) for one in lost] == [(2, "7"), (2, '{"a":[]}')]


def test_of_a_key_that_encap_prints_again_the_first_counts():
    assert decode_object(b'{"dst":"10.6.0.0/16","encap":"ip","dst":"10.99.0.1"}')["dst"] == "10.6.0.0/16"


def test_nested_entries_have_their_own_lines():
    item = next(file_items('[\n{"name":"e","list":[\n1,\n2]}]', "f"))
    assert [inner.line for inner in nested_items(item.raw, "list", item.line)] == [3, 4]


@pytest.mark.parametrize(
    ("value", "meaning"), [(True, True), (0, False), (1, True), ("on", True), ("off", False), (None, None)]
)
def test_a_switch_is_spelled_differently_by_different_versions(value, meaning):
    assert switch({"a": value}, "a") is meaning
