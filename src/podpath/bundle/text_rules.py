"""What a secret in text looks like: rules by shape, and by the name before it."""

from __future__ import annotations

import re

from podpath.bundle.pem import private_keys
from podpath.bundle.secret_names import HINTS, LONG_KEY, NOT_PUBLIC_KEY, SECRET_WORD
from podpath.bundle.secrets_in_text import REMOVED, Rule, blocks, lines, pattern

_MARK = re.escape(REMOVED)
_HEADER_VALUE = r"""[^\r\n"'\\\]]"""

SHAPES = (
    Rule("private key", (b"private key",), private_keys),
    Rule(
        "token (JWT)",  # eyJ is base64 of '{"', with which every JSON Web Token (RFC 7519) begins
        (b"eyj",),
        pattern(r"((?-i:eyJ[\w-]{8,}\.[\w-]{2,}(?:\.[\w-]*)*|(?<![A-Za-z0-9])eyJ[\w+/-]{17,}={0,2}))"),
    ),
    Rule(
        "access token",
        (b"akia", b"asia", b"aiza", b"ghp_", b"gho_", b"ghs_", b"github_pat_", b"glpat-", b"xox", b"hvs."),
        pattern(
            r"((?-i:(?<![A-Z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])|AIza[\w-]{35}|gh[pos]_\w{30,}|github_pat_\w{20,}"
            r"|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|hvs\.[\w-]{20,}))"
        ),
    ),
    Rule(
        "credentials in a URL",
        (b"://",),
        # userinfo (RFC 3986, 3.2.1), and a password with a slash in it that should have been escaped
        pattern(
            r"""://((?:\\.|[^\s/?#"'<>\\]){1,999}|[^\s/:@"'<>\\]{1,99}:(?!\d+[/?#])(?:\\.|[^\s"'<>\\]){0,255})(?=@)"""
        ),
    ),
    Rule(
        "authorization header",
        (b"authorization", b"bearer"),
        pattern(
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
        lines(
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
        lines(
            rf"""^[ \t]*(?:-[ \t]+)*(?:{_NAME}|["']{_NAME}["'](?=:[ \t]+[a-z]))[ \t]*[:=][ \t]+"""
            rf"""(?![{{\["'|>&*]){_NOTHING}([^\s][^\r\n]*)""",
            _HINTS,
        ),
    ),
    Rule(
        "secret by its name",  # YAML: the indented lines of a block
        HINTS,
        blocks(
            rf"""^([ \t]*)(?:-[ \t]+)*["']?{_NAME}["']?:[ \t]+[|>][-+0-9]*[ \t]*\r?\n"""
            r"""((?:\1[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)""",
            _HINTS,
        ),
    ),
    Rule(
        "long key behind a name",
        HINTS,
        lines(
            rf"""(?:token|passw|secret|credential|{NOT_PUBLIC_KEY})[\w.-]{{0,40}}"""
            rf"""\\*["']?[ \t]*[:=][ \t]*\\*["']?(?<![A-Za-z0-9+/_-])({LONG_KEY})""",
            _HINTS,
        ),
    ),
    Rule(
        "cookie",
        (b"cookie:",),
        pattern(rf"""\bcookie:[ \t]*(?!{_MARK})({_HEADER_VALUE}{{0,200}}={_HEADER_VALUE}*)"""),
    ),
)
"""What is a secret by the name before it: for prose and configuration, not for what the kernel prints."""

COMMAND = (
    Rule(
        "secret of a command",
        (b"-",),
        pattern(
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
        pattern(r"^[ \t]*(?:aws_access_key|credentials|secret|client_secret|key)[ \t]+(?!\{)([^\s][^\r\n]*)"),
    ),
)
