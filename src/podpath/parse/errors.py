"""What a parser raises when a file is not what it claims to be."""

from __future__ import annotations


class ParseError(Exception):
    """A file cannot be read at all; the message is one sentence that names the file, the line and the column."""
