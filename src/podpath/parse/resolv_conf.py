"""``/etc/resolv.conf``, as glibc reads it (resolv.conf(5), resolv/res_init.c)."""

from __future__ import annotations

import re

from podpath.model.addr import parse_addr
from podpath.model.linux.resolv import MAX_NAMESERVERS, ResolvConf
from podpath.model.origin import NOWHERE, Origin, Unrecognized
from podpath.parse.text_lines import text_lines

OPTIONS = frozenset(
    {
        *(
            "ndots",
            "timeout",
            "attempts",
            "debug",
            "rotate",
            "no-aaaa",
            "no-check-names",
            "inet6",
            "ip6-bytestring",
        ),
        *(
            "ip6-dotint",
            "no-ip6-dotint",
            "edns0",
            "single-request",
            "single-request-reopen",
            "no-tld-query",
            "use-vc",
        ),
        *("no-reload", "trust-ad"),
    }
)
COMMENT = re.compile(r"[;#]")


def parse_resolv_conf(text: str, file: str) -> tuple[ResolvConf, tuple[Unrecognized, ...]]:
    """The configuration; a line that glibc passes over in silence is not passed over here."""
    servers: list[tuple[int, Origin]] = []
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    places = {"search": NOWHERE, "options": NOWHERE}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        if content.lstrip().startswith((";", "#")):
            continue
        keyword, rest = _split(content)
        reason = ""
        if keyword == "nameserver":
            addr = _address(rest)
            reason = "" if addr is not None else "not an address"
            servers += [(addr, origin)] if addr is not None else []
        elif keyword in ("search", "domain") and rest:
            names = COMMENT.split(rest)[0].split()
            search = tuple(names if keyword == "search" else names[:1])
            places["search"] = origin
        elif keyword == "options":
            reason = _add_options(rest, options)
            places["options"] = origin
        elif keyword not in ("sortlist", "search", "domain"):
            reason = (
                "a keyword must begin its line" if content[0].isspace() else "not a keyword of resolv.conf"
            )
        if reason:
            lost.append(Unrecognized(origin, reason))
    asked, ignored = servers[:MAX_NAMESERVERS], servers[MAX_NAMESERVERS:]
    config = ResolvConf(
        file=file,
        nameservers=tuple(addr for addr, _ in asked),
        ignored=tuple(addr for addr, _ in ignored),
        search=search,
        options=options,
        nameserver_origins=tuple(origin for _, origin in servers),
        search_origin=places["search"],
        options_origin=places["options"],
    )
    return config, tuple(lost)


def _split(content: str) -> tuple[str, str]:
    """The keyword, which must stand at the very beginning, and what follows it."""
    keyword = re.match(r"\S*", content)
    word = keyword[0] if keyword else ""
    return word, content[len(word) :].strip()


def _address(rest: str) -> int | None:
    words = COMMENT.split(rest)[0].split()
    try:
        return parse_addr(words[0]) if words else None
    except ValueError:
        return None


def _add_options(rest: str, options: dict[str, str]) -> str:
    """Take the options of a line; the reason why it is not wholly understood, or nothing."""
    reason = ""
    for token in COMMENT.split(rest)[0].split():
        name, _, value = token.partition(":")
        if name in OPTIONS:
            options[name] = value
        else:
            reason = f"not an option of resolv.conf: {token}"
    return reason
