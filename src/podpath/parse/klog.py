"""Logs of agents: klog (kube-proxy, flannel, kubelet), logfmt, zap, Calico's and CoreDNS's, raw or wrapped by CRI.

A log is no state: only its complaints are kept, and lines that match ``TELLING``; the rest is passed over on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from podpath.model.linux.agents import LogLine
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines

KEPT_LEVELS = frozenset("WEF")
LIMIT = 400
"""How many lines of a log are kept: the first and the last half of this."""
SHOWN = 2000
"""How much of a message is kept, with the lines that continue it."""

TELLING_PARTS = (
    # what did not arrive
    r"i/o timeout",
    r"connection (?:refused|timed out|reset by peer)",
    r"no route to host|network is unreachable|host is unreachable",
    r"context deadline exceeded|Client\.Timeout exceeded|TLS handshake timeout",
    r"no such host|server misbehaving|SERVFAIL",
    r"x509:|certificate (?:has expired|signed by unknown)",
    r"[Oo]peration not permitted|[Pp]ermission denied|address already in use|too many open files",
    # CoreDNS
    r"plugin/loop|Loop \(.*\) detected|plugin/errors|plugin/kubernetes: .*(?:[Ff]ailed|[Ww]aiting|pending)",
    r"panic:|fatal error:|goroutine \d+ \[running\]",
    r"Error during parsing|Unknown directive|[Cc]orefile changed but reload failed|[Ww]aiting for Kubernetes API",
    # who may not do what, and what is missing
    r"is forbidden: User|Unauthorized|Forbidden",
    r"No chain/target/match by that name|can't initialize ip6?tables table|executable file not found",
    r"waiting for IPAM-D|waiting for lo to become free|nf_conntrack: table full|neighbour table overflow",
    # kube-proxy: what it is and whether it can write its rules
    r"[Uu]sing \w+ [Pp]roxier|[Ff]alling back to|[Cc]an't use (?:the )?(?:ipvs|nftables|IPVS)",
    r"iptables-restore|xtables lock|nft: Error|[Ff]ailed to (?:sync|execute|list|ensure|setup|set up)",
    r"route_localnet|nodePortAddresses|single-stack|dual-stack|clusterCIDR|cluster CIDR|detect-local",
    r"NodeIPs changed|Node is (?:terminating|being deleted)|nf_conntrack",
    # network providers
    r"subnet\.env|\b[Ll]ease|[Pp]odCIDR|[Bb]ackend type|[Ee]xternal address|not assigned",
    r"br_netfilter|bridge-nf-call|ip_forward|rp_filter|\bMTU\b|\bBGP\b",
)
"""What a line of level I or without a level must say to be kept."""
TELLING = re.compile("|".join(TELLING_PARTS))

CRI = re.compile(r"(\S+T\S+) (?:stdout|stderr) ([FP]) ?(.*)", re.DOTALL)
KLOG = re.compile(r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d+)\s+\d+ ([^\s\]]+:\d+)\] ?(.*)", re.DOTALL)
BRACKET = re.compile(
    r"(?:(\d{4}[-/]\d\d[-/]\d\dT?[^\[]*?)\s*)?\[(DEBUG|INFO|WARNING|WARN|ERROR|FATAL|PANIC)\](?:\[\d+\])?\s*(.*)"
)
LOGFMT_PAIR = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)')
GO_LOG = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (.*)", re.DOTALL)
SOURCE = re.compile(r"((?:plugin/\w+)|(?:[\w/.-]+\.go:? ?\d+)):? (.*)", re.DOTALL)
LEVELS = {
    **dict.fromkeys(("fatal", "panic", "dpanic", "critical"), "F"),
    **dict.fromkeys(("error", "err", "eror"), "E"),
    **dict.fromkeys(("warning", "warn"), "W"),
    **dict.fromkeys(("info", "notice"), "I"),
    **dict.fromkeys(("debug", "trace"), "D"),
}


class _Parts(NamedTuple):
    time: str
    level: str
    source: str
    message: str


def parse_log(text: str, file: str) -> tuple[tuple[LogLine, ...], tuple[Unrecognized, ...]]:
    """The complaints and telling lines, in the order of the file; where there are too many the middle is left out."""
    kept = [line for line in _lines(text, file) if _worth(line)]
    if len(kept) <= LIMIT:
        return tuple(kept), ()
    first, last = kept[: LIMIT // 2], kept[-(LIMIT // 2) :]
    gap = kept[LIMIT // 2].origin
    return (*first, *last), (Unrecognized(gap, f"{len(kept) - LIMIT} lines from here on are left out"),)


def _worth(line: LogLine) -> bool:
    if line.level in KEPT_LEVELS:
        return True
    return line.level != "D" and TELLING.search(f"{line.source}: {line.message}") is not None


def _lines(text: str, file: str) -> Iterator[LogLine]:
    """Every line, with those that continue it (klog breaks ``err=<``) in its message."""
    current: LogLine | None = None
    for number, content in text_lines(text):
        wrapped = CRI.fullmatch(content)
        body = wrapped[3] if wrapped else content
        if current is not None and body[:1] in ("\t", " "):
            message = f"{current.message}\n{body}"[:SHOWN]
            current = msgspec.structs.replace(current, message=message)
            continue
        if current is not None:
            yield current
        parts = split_line(body)
        time = parts.time or (wrapped[1] if wrapped else "")
        origin = Origin(file, number, content[:SHOWN])
        current = LogLine(time, parts.level, parts.source, parts.message[:SHOWN], origin)
    if current is not None:
        yield current


def split_line(body: str) -> _Parts:
    """Time, level, source and message of a line in whichever of the formats it is written."""
    found = KLOG.fullmatch(body)
    if found:
        return _Parts(found[2], found[1], found[3], found[4])
    if body.startswith("{"):
        return _zap(body)
    found = BRACKET.fullmatch(body)
    if found:
        return _with_source(found[1] or "", LEVELS[found[2].lower()], found[3])
    if "level=" in body and "msg=" in body:
        return _logfmt(body)
    found = GO_LOG.fullmatch(body)
    if found:
        return _with_source(found[1], "", found[2])
    return _Parts("", "F" if body.startswith(("panic:", "fatal error:")) else "", "", body)


def _with_source(time: str, level: str, rest: str) -> _Parts:
    found = SOURCE.fullmatch(rest)
    return _Parts(time, level, found[1], found[2]) if found else _Parts(time, level, "", rest)


def _logfmt(body: str) -> _Parts:
    """``time="..." level=error msg="..." subsys=...``: what is neither of the first follows the message."""
    pairs = {key: _unquoted(value) for key, value in LOGFMT_PAIR.findall(body)}
    return _structured(pairs)


def _unquoted(value: str) -> str:
    return value[1:-1].replace('\\"', '"') if value[:1] == '"' and len(value) > 1 else value


def _zap(body: str) -> _Parts:
    """A JSON object a line, as zap and logrus write it."""
    try:
        fields = msgspec.json.decode(body.encode(errors="replace"), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return _Parts("", "", "", body)
    return _structured({key: str(value) for key, value in fields.items()})


def _structured(pairs: dict[str, str]) -> _Parts:
    def take(*names: str) -> str:
        return next((value for value in [pairs.pop(name, "") for name in names] if value), "")

    time = take("time", "ts", "timestamp", "t")
    level = LEVELS.get(take("level", "lvl", "severity").lower(), "")
    message = take("msg", "message")
    source = take("caller", "source", "subsys", "logger")
    rest = " ".join(f"{key}={value}" for key, value in pairs.items())
    return _Parts(time, level, source, f"{message} {rest}".strip())
