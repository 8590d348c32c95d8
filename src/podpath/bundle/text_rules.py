"""What a secret in text looks like: rules by shape, by the name before it, by the program that printed it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from podpath.bundle.secret_names import HINTS, LONG_KEY, NOT_PUBLIC_KEY, SECRET_WORD
from podpath.bundle.secrets_in_text import REMOVED, Rule, Spans

_MARK = re.escape(REMOVED)


@cache
def _compiled(pattern: str, case: re.RegexFlag = re.IGNORECASE) -> re.Pattern[bytes]:
    return re.compile(pattern.encode(), case | re.MULTILINE)


def _pattern(pattern: str) -> Callable[[bytes], Spans]:
    """Spans of the last group of a pattern that took part: that is the secret."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        return (match.span(match.lastindex or 0) for match in _compiled(pattern).finditer(content))

    return find


def _lines(pattern: str, hints: str) -> Callable[[bytes], Spans]:
    """As ``_pattern``, tried only on lines in which a hint occurs: an expression like these is slow on a long log."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        compiled = _compiled(pattern)
        done = 0
        for hint in _compiled(hints, re.NOFLAG).finditer(content.lower()):
            if hint.start() < done:
                continue
            start = content.rfind(b"\n", 0, hint.start()) + 1
            done = content.find(b"\n", hint.end())
            done = len(content) if done < 0 else done
            for match in compiled.finditer(content, start, done):
                yield match.span(match.lastindex or 0)

    return find


def _blocks(pattern: str, hints: str) -> Callable[[bytes], Spans]:
    """As ``_pattern``, tried only at the beginning of lines in which a hint occurs; a match may go beyond its line."""

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        tried = -1
        for hint in _compiled(hints, re.NOFLAG).finditer(content.lower()):
            start = content.rfind(b"\n", 0, hint.start()) + 1
            if start <= tried:
                continue
            tried = start
            if match := _compiled(pattern).match(content, start, max(start, hint.end() + _MAX_BLOCK)):
                yield match.span(match.lastindex or 0)

    return find


_MAX_BLOCK = 1 << 16
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(rb"(?:[A-Za-z0-9+/=\s:,-]|\\[nrt])*")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/=]{1,76}[ \t]*\r?")
_MAX_PEM = 1 << 16


def _private_keys(content: bytes) -> Iterator[tuple[int, int]]:
    """PEM blocks (RFC 7468), over several lines or with line feeds escaped; cut off before or behind, what is left."""
    at = 0
    while begin := _BEGIN.search(content, at):
        end = _END.search(content, begin.end(), begin.end() + _MAX_PEM)
        body = _BODY.match(content, begin.end())
        at = end.end() if end else max(begin.end(), body.end() if body else 0)
        yield begin.start(), at
    for end in _END.finditer(content):
        start = _first_line_of_base64(content, end.start())
        if start < end.start():
            yield start, end.end()


def _first_line_of_base64(content: bytes, at: int) -> int:
    """Where the lines of base64 begin that stand directly before ``at``; ``at`` if none does."""
    while at and content[at - 1] == 0x0A:
        start = content.rfind(b"\n", 0, at - 1) + 1
        if not _BASE64_LINE.fullmatch(content, start, at - 1):
            break
        at = start
    return at


_HEADER_VALUE = r"""[^\r\n"'\\\]]"""

SHAPES = (
    Rule("private key", (b"private key",), _private_keys),
    Rule(
        "token (JWT)",  # eyJ is base64 of '{"', with which every JSON Web Token (RFC 7519) begins
        (b"eyj",),
        _pattern(r"((?-i:eyJ[\w-]{8,}\.[\w-]{2,}(?:\.[\w-]*)*|(?<![A-Za-z0-9])eyJ[\w+/-]{17,}={0,2}))"),
    ),
    Rule(
        "access token",
        (b"akia", b"asia", b"aiza", b"ghp_", b"gho_", b"ghs_", b"github_pat_", b"glpat-", b"xox", b"hvs."),
        _pattern(
            r"((?-i:(?<![A-Z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])|AIza[\w-]{35}|gh[pos]_\w{30,}|github_pat_\w{20,}"
            r"|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|hvs\.[\w-]{20,}))"
        ),
    ),
    Rule(
        "credentials in a URL",
        (b"://",),
        # userinfo (RFC 3986, 3.2.1), and a password with a slash in it that should have been escaped
        _pattern(
            r"""://((?:\\.|[^\s/?#"'<>\\]){1,999}|[^\s/:@"'<>\\]{1,99}:(?!\d+[/?#])(?:\\.|[^\s"'<>\\]){0,255})(?=@)"""
        ),
    ),
    Rule(
        "authorization header",
        (b"authorization", b"bearer"),
        _pattern(
            rf"""\bauthorization:[ \t]*\[?(?!{_MARK})({_HEADER_VALUE}*[^\s"'\\\]])"""
            r"""|\bauthorization\\*["']?[ \t:=]*[\[\\"']*(?:basic|bearer|negotiate|token)[ \t]+"""
            rf"""(?!{_MARK})({_HEADER_VALUE}+)"""
            r"""|\bbearer[ \t]+((?=[^\s"'\\]{0,99}\d|[\w.~+/-]{20})[\w.~+/-]{6,}=*)"""
        ),
    ),
)
"""What is a secret by its looks, in any file. Safe inside JSON: no quote and no half of an escape is taken away."""

_NOTHING = r"(?!(?:true|false|null|nil|none|~)\b)"
_NEXT_FIELD = (
    r"(?!\w+:(?:true|false|\d*)[\s}])"  # Go's %+v of a struct with an empty string: {password: help:false}
)
_BARE = rf"""((?:{_MARK}|\\.|[^\s"'\\])+)"""
_NAME = rf"[\w./-]*{SECRET_WORD}"

_HINTS = "|".join(hint.decode() for hint in HINTS)

NAMED = (
    Rule(
        "secret by its name",
        HINTS,
        _lines(
            rf"""{SECRET_WORD}(?:\\*["']?[ \t]*[:=][ \t]*(?:"((?:[^"\\\n]|\\.)*)|'([^'\n]*)|\\+"([^"\n]*?)(?=\\+"|$))"""
            rf"""|=(?!["'\\]){_NOTHING}{_BARE}"""
            r"""|(?:(?<=passwd)|(?<=password)|(?<=passphrase)|(?<=pwd)):[ \t]?(?!["'\\])"""
            rf"""{_NOTHING}{_NEXT_FIELD}{_BARE}"""
            r"""|:[ \t]?((?=[^\s"'\\]{0,99}\d)[^\s"'\\,;]{8,}))""",
            _HINTS,
        ),
    ),
    Rule(
        "secret by its name",  # YAML: the rest of the line
        HINTS,
        _lines(
            rf"""^[ \t]*(?:-[ \t]+)*(?:{_NAME}|["']{_NAME}["'](?=:[ \t]+[a-z]))[ \t]*[:=][ \t]+"""
            rf"""(?![{{\["'|>&*]){_NOTHING}([^\s][^\r\n]*)""",
            _HINTS,
        ),
    ),
    Rule(
        "secret by its name",  # YAML: the indented lines of a block
        HINTS,
        _blocks(
            rf"""^([ \t]*)(?:-[ \t]+)*["']?{_NAME}["']?:[ \t]+[|>][-+0-9]*[ \t]*\r?\n"""
            r"""((?:\1[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)""",
            _HINTS,
        ),
    ),
    Rule(
        "long key behind a name",
        HINTS,
        _lines(
            rf"""(?:token|passw|secret|credential|{NOT_PUBLIC_KEY})[\w.-]{{0,40}}"""
            rf"""\\*["']?[ \t]*[:=][ \t]*\\*["']?(?<![A-Za-z0-9+/_-])({LONG_KEY})""",
            _HINTS,
        ),
    ),
    Rule(
        "cookie",
        (b"cookie:",),
        _pattern(rf"""\bcookie:[ \t]*(?!{_MARK})({_HEADER_VALUE}{{0,200}}={_HEADER_VALUE}*)"""),
    ),
)
"""What is a secret by the name before it: for prose and configuration, not for what the kernel prints."""

COMMAND = (
    Rule(
        "secret of a command",
        (b"-",),
        _pattern(
            rf"""(?:^|[\s"'])--?[\w.-]*{SECRET_WORD}[ \t]+(?![-"'\\]){_BARE}"""
            rf"""|(?:^|\s)(?:-u|--user)[ \t=]+(?!["'\\])([^\s:"'\\]+:(?:{_MARK}|\\.|[^\s"'\\])+)"""
        ),
    ),
)
"""What is a secret in a command line: the word behind a flag."""

COREFILE = (
    Rule(
        "secret of a CoreDNS plugin",  # route53, azure, etcd, tsig
        (b"key", b"secret", b"credential"),
        _pattern(
            r"^[ \t]*(?:aws_access_key|credentials|secret|client_secret|key)[ \t]+(?!\{)([^\s][^\r\n]*)"
        ),
    ),
)

_WG_KEY = re.compile(rb"[A-Za-z0-9+/]{43}=")


def _wireguard(content: bytes) -> Iterator[tuple[int, int]]:
    """Private and preshared keys in ``wg show all dump``. Public keys stay: they tell peers apart."""
    at = 0
    for line in content.split(b"\n"):
        columns = line.rstrip(b"\r").split(b"\t")
        public = _public_key_column(columns)
        for number, column in enumerate(columns):
            for key in _WG_KEY.finditer(column) if number != public else ():
                yield at + key.start(), at + key.end()
            at += len(column) + 1
        at += len(line) - len(line.rstrip(b"\r"))


def _public_key_column(columns: list[bytes]) -> int:
    """Where the public key stands in a line of wg(8), or -1 if the line has another shape, perhaps cut off.

    An interface is: private key, public key, port, mark. A peer is: public key, preshared key, endpoint, ranges,
    handshake, received, sent, keepalive. The word ``all`` puts the interface's name before either.
    """
    first = 0 if _WG_KEY.fullmatch(columns[0]) else 1
    if len(columns) == first + 8:
        return first
    return first + 1 if len(columns) == first + 4 and columns[first + 2].isdigit() else -1


SPECIAL = {
    "wg-show": Rule("WireGuard key", (b"=",), _wireguard),
    "xfrm-state": Rule(
        "IPsec key",
        (b"0x",),  # ip-xfrm(8): ALGO-TYPE ALGO-NAME ALGO-KEYMAT
        _pattern(r"(?:^|[\s\\])(?:enc|auth|auth-trunc|aead)[ \t]+\S+[ \t]+(0x[0-9a-f]+)"),
    ),
    "sysctl": Rule(
        "key of the kernel",  # all zeros: not set
        (b"fastopen_key", b"stable_secret"),
        _pattern(r"(?:tcp_fastopen_key|stable_secret)[ \t]*=[ \t]*(?![-0: \t,]*$)([^\s][^\r\n]*)"),
    ),
}
"""Secrets that the kernel prints, by source."""
