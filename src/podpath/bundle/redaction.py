"""Redaction: what a bundle must not carry out of the cluster is removed before it is written.

What is known to be needed stays; of the rest, what may hold a secret goes. Names, addresses and labels are no secrets:
without them nothing can be diagnosed.
"""

from __future__ import annotations

import re

import msgspec

from podpath.bundle.kernel_keys import KERNEL_KEYS
from podpath.bundle.layout import API, NODES, source_of
from podpath.bundle.paths import normal
from podpath.bundle.secrets_in_objects import redact_objects
from podpath.bundle.secrets_in_text import REMOVED, Rule, blanked, remove
from podpath.bundle.text_rules import NAMED, SHAPES

MAX_MESSAGE_BYTES = 4096
"""Of an error message that came in the place of API objects."""


_NOT_AS_JSON = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


def redact(path: str, content: bytes) -> tuple[bytes, list[str]]:
    """The content of a bundle's file without its secrets, and what was removed (JSON path or line, and why).

    Never raises, and has nothing to do the second time. Text keeps its lines, and so does broken JSON; a list of API
    objects from which something was removed is written anew, with the indentation that it had. The list of what was
    removed never holds the secret itself.
    """
    path = normal(path)
    if path.startswith(API):
        return _redact_list(path.rpartition("/")[2].partition(".json")[0], content)
    content, removed = remove(content, _rules(path))
    return content, [f"line {line}: {reason}" for line, reason in removed]


def _redact_list(plural: str, content: bytes) -> tuple[bytes, list[str]]:
    """What should be a JSON list of API objects."""
    try:
        return redact_objects(plural, content)
    except _NOT_AS_JSON:
        cleaned, removed = _redact_broken(content)
    try:  # what is left may be JSON, now that a broken value is gone
        cleaned, more = redact_objects(plural, cleaned)
    except _NOT_AS_JSON:
        return cleaned, removed
    return cleaned, [*removed, *more]


def _rules(path: str) -> tuple[Rule, ...]:
    """How a file is searched, by its name: what the kernel prints has no names with secrets behind them."""
    source = source_of(path) if path.startswith(NODES) else None
    if source is None:
        return (*SHAPES, *KERNEL_KEYS.values(), *NAMED)
    special = KERNEL_KEYS.get(source.name)
    return (*SHAPES, *((special,) if special else ()), *(NAMED if source.free_text else ()))


_MARK = re.escape(REMOVED.encode())
_REPEATED = re.compile(rb"(?:%b){2,}" % _MARK)
_TOKEN = re.compile(
    rb"(?P<string>\"(?:[^\"\\]|\\.)*(?:\"|\Z))(?P<colon>\s*:)?"
    rb"|(?P<plain>%b|(?:true|false|null|-?\d+(?:\.\d+)?)(?=[\s,\]}]|\Z)|[\s{}\[\]:,]+)"
    rb"|(?P<rest>[^\"\s{}\[\]:,<]+|.)" % _MARK,
    re.DOTALL,
)
_LIKE_OBJECTS = re.compile(rb"\A[\xef\xbb\xbf\s]*[{\[]|\0|apiVersion|kind:|\"\s*:\s*[\"{\[]")
"""Also in UTF-16 or YAML."""
_KEY = re.compile(rb'"[\w./-]{0,317}"')


def _redact_broken(content: bytes) -> tuple[bytes, list[str]]:
    """What should be JSON and is not: a short message is text; of the rest only keys, numbers and lines stay.

    Cut-off JSON still has environment values in it, and where a quote is missing, strings and what is between them
    change places: so whatever is neither a key nor punctuation goes.
    """
    if len(content) <= MAX_MESSAGE_BYTES and not _LIKE_OBJECTS.search(content):
        content, found = remove(content, (*SHAPES, *NAMED))
        return content, [f"line {line}: {reason}" for line, reason in found]
    cleaned = _REPEATED.sub(REMOVED.encode(), _TOKEN.sub(_without_values, content))
    removed = ["not JSON: all values removed"] if cleaned != content else []
    return cleaned, removed


def _without_values(match: re.Match[bytes]) -> bytes:
    string = match["string"]
    if string is None:
        return match["plain"] if match["plain"] is not None else blanked(match["rest"])
    colon = match["colon"] or b""
    if colon and _KEY.fullmatch(string):
        return string + colon
    inner = string[1:-1] if len(string) > 1 and string.endswith(b'"') else string[1:]
    return string[:1] + blanked(inner) + string[1 + len(inner) :] + colon
