"""Terminal, width and progress."""

import io

import pytest

from podpath.cli import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def plain(monkeypatch):
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_pipe_is_100_wide_and_has_no_colour(plain):
    plain.setattr("sys.stdout", io.StringIO())
    assert (console.style().width, console.style().color) == (100, False)


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("5", 40), ("500", 120), ("x", 100), ("0", 100)])
def test_the_width_is_kept_readable(plain, columns, width):
    plain.setattr("sys.stdout", io.StringIO())
    plain.setenv("COLUMNS", columns)
    assert console.style().width == width


@pytest.mark.parametrize(
    ("variables", "no_color", "color"),
    [
        ({}, False, True),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({}, True, False),
    ],
)
def test_a_terminal_has_colours_unless_told_otherwise(plain, variables, no_color, color):
    plain.setattr("sys.stdout", Terminal())
    for name, value in variables.items():
        plain.setenv(name, value)
    assert console.style(no_color=no_color).color is color


def progressed(monkeypatch, stream, *at):
    monkeypatch.setattr("sys.stderr", stream)
    clock = iter(at)
    monkeypatch.setattr("podpath.cli.console.time.monotonic", lambda: next(clock))
    line = console.ProgressLine()
    for done in range(len(at) // 2):
        line("promises", done, 1234)
    return line


def test_long_work_tells_of_itself_in_one_line(monkeypatch):
    stream = Terminal()
    line = progressed(monkeypatch, stream, 0.0, 0.2, 0.6, 0.6)
    assert stream.getvalue() == "\r\x1b[Kpromises 1 of 1,234 ..."
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_short_work_is_silent(monkeypatch):
    stream = Terminal()
    line = progressed(monkeypatch, stream, 0.0, 0.1, 0.2)
    line.clear()
    assert stream.getvalue() == ""


def test_nobody_is_told_where_nobody_looks(monkeypatch):
    stream = io.StringIO()
    progressed(monkeypatch, stream, 0.0, 9.0, 9.5)
    assert stream.getvalue() == ""
