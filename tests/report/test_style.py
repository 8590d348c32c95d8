"""Width, colour, and what must not reach a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.report.style import Style, columns, counted, listed, printable


@given(st.text())
def test_what_is_printable_obeys_nobody(text):
    shown = printable(text)
    assert {unicodedata.category(char) for char in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(char) for char in shown}.isdisjoint(
        {"LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )
    assert shown.encode("utf-8")[:1] or not text


def test_a_tab_is_four_columns():
    assert printable("\tx") == "    x"


def test_wide_characters_take_two_columns():
    assert columns("日本") == 4
    assert columns("e\u0301") == 1
    assert columns("abc") == 3


def test_paint_is_nothing_without_colour():
    assert Style().paint("error", "x") == "x"
    assert Style(color=True).paint("error", "x") == "\x1b[1;31mx\x1b[0m"
    assert Style(color=True).paint("error", "") == ""


def test_marks_are_plain_where_the_terminal_is():
    assert (Style(unicode=False).tick, Style(unicode=False).cross) == ("+", "x")


def test_a_long_word_is_not_broken():
    assert Style(width=40).wrap("see " + "x" * 60, "  ") == ["  see", "  " + "x" * 60]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcde"), "a, b, c, d and e"),
        (list("abcdef"), "a, b, c, d and 2 more"),
    ],
)
def test_lists_are_short(words, text):
    assert listed(words) == text


def test_numbers_are_counted_in_words():
    assert (counted(1, "node"), counted(1204, "node"), counted(2, "branch", "branches")) == (
        "1 node",
        "1,204 nodes",
        "2 branches",
    )
