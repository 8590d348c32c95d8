"""Targets of iptables rules, except jumps to chains (iptables-extensions(8))."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from podpath.model.linux.netfilter import (
    Accept,
    Drop,
    Noop,
    Notrack,
    Queue,
    Reject,
    Return,
    SetConnmark,
    SetMark,
    Target,
    Tproxy,
)
from podpath.parse.iptables_grammar import Option
from podpath.parse.iptables_names import REJECTS
from podpath.parse.iptables_nat import dnat, masquerade, netmap, redirect, snat
from podpath.parse.iptables_values import ALL_MARK, address, masked, number, numbers, port

Values = Mapping[str, str]

VERDICTS: Mapping[str, Target] = {"ACCEPT": Accept(), "DROP": Drop(), "RETURN": Return(), "QUEUE": Queue("0")}
"""Targets that are no extensions and take no options."""


@dataclass(frozen=True, slots=True)
class TargetModule:
    """A target: how many values each option takes, and what they mean, given the family."""

    values: Mapping[str, int]
    compile: Callable[[Values, str], Target]

    def target(self, options: Sequence[Option], family: str) -> Target:
        """The target with its options; ``ValueError`` if they make none."""
        values = {option.name: option.value for option in options}
        if len(values) < len(options):
            raise ValueError("an option is given twice")
        if any(option.negate for option in options):
            raise ValueError("an option of a target cannot be negated")
        try:
            return self.compile(values, family)
        except KeyError as missing:
            raise ValueError(f"it has no {missing.args[0]}") from missing


def _reject(values: Values, family: str) -> Target:
    known = REJECTS[family]
    how = values.get(
        "--reject-with", "icmp6-port-unreachable" if family == "ip6" else "icmp-port-unreachable"
    )
    names = [name for name, short in known.items() if how in (name, short)]
    if not names:
        raise ValueError(f"{how} is no way to reject")
    return Reject(names[0])


def _mark_change(values: Values) -> tuple[int, int]:
    """Value and mask of ``--set-xmark``, and of the options that are short for one."""
    given = [name for name in MARK_CHANGES if name in values]
    if len(given) != 1:
        raise ValueError("it needs one change of the mark")
    name, text = given[0], values[given[0]]
    if name == "--set-xmark":
        return masked(text)
    if name == "--set-mark":
        value, mask = masked(text)
        return value, value | mask
    bits = number(text)
    if name == "--or-mark":
        return bits, bits
    return (0, ALL_MARK ^ bits) if name == "--and-mark" else (bits, 0)


MARK_CHANGES = ("--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark")


def _mark(values: Values, _family: str) -> Target:
    return SetMark(*_mark_change(values))


def _connmark(values: Values, _family: str) -> Target:
    if "--left-shift-mark" in values or "--right-shift-mark" in values:
        raise ValueError("a shifted mark is not evaluated")
    copies = [op for op in ("save", "restore") if f"--{op}-mark" in values]
    if not copies:
        value, mask = _mark_change(values)
        return SetConnmark("set", value, mask)
    if len(copies) > 1 or values.keys() & set(MARK_CHANGES):
        raise ValueError("it needs one of --set-xmark, --save-mark and --restore-mark")
    both = number(values.get("--mask", hex(ALL_MARK)))
    nfmask, ctmask = (number(values.get(name, hex(both))) for name in ("--nfmask", "--ctmask"))
    return SetConnmark(copies[0], nfmask=nfmask, ctmask=ctmask)


def _ct(values: Values, _family: str) -> Target:
    if any(name.startswith("--zone") for name in values):
        raise ValueError("zones of connection tracking are not evaluated")
    return Notrack() if "--notrack" in values else Noop("CT")


def _notrack(_values: Values, _family: str) -> Target:
    return Notrack()


def _tproxy(values: Values, _family: str) -> Target:
    addr = address(values["--on-ip"]) if "--on-ip" in values else 0
    mark, mask = masked(values.get("--tproxy-mark", "0/0"))
    named = addr & ALL_MARK or addr >> 64  # 0.0.0.0 and :: stand for the address of the device
    return Tproxy(port(values["--on-port"]), addr if named else None, mark, mask)


def _nfqueue(values: Values, _family: str) -> Target:
    first, last = numbers(values.get("--queue-balance", values.get("--queue-num", "0")), 0xFFFF)
    return Queue(str(first) if first == last else f"{first}:{last}", "--queue-bypass" in values)


def _set(values: Values, _family: str) -> Target:
    if "--map-mark" in values:
        raise ValueError("a mark from a set is not evaluated")
    return Noop("SET")


def _noop(name: str) -> Callable[[Values, str], Target]:
    noop = Noop(name)
    return lambda _values, _family: noop


NOOPS: Mapping[str, str] = {
    "AUDIT": "type=1",
    "CHECKSUM": "checksum-fill",
    "CLASSIFY": "set-class=1",
    "CONNSECMARK": "save restore",
    "DSCP": "set-dscp=1 set-dscp-class=1",
    "ECN": "ecn-tcp-remove ecn-tcp-cwr=1 ecn-tcp-ece=1 ecn-ip-ect=1",
    "HL": "hl-set=1 hl-dec=1 hl-inc=1",
    "IDLETIMER": "timeout=1 label=1 alarm send_nl_msg=1",
    "LED": "led-trigger-id=1 led-delay=1 led-always-blink",
    "LOG": "log-level=1 log-prefix=1 log-tcp-sequence log-tcp-options log-ip-options log-uid log-macdecode",
    "NFLOG": "nflog-group=1 nflog-prefix=1 nflog-range=1 nflog-size=1 nflog-threshold=1",
    "RATEEST": "rateest-name=1 rateest-interval=1 rateest-ewmalog=1",
    "SECMARK": "selctx=1",
    "TCPMSS": "set-mss=1 clamp-mss-to-pmtu",
    "TCPOPTSTRIP": "strip-options=1",
    "TEE": "gateway=1 oif=1",
    "TOS": "set-tos=1 and-tos=1 or-tos=1 xor-tos=1",
    "TRACE": "",
    "TTL": "ttl-set=1 ttl-dec=1 ttl-inc=1",
    "ULOG": "ulog-nlgroup=1 ulog-prefix=1 ulog-cprange=1 ulog-qthreshold=1",
}
"""Targets after which the packet goes on, and their options."""


def _values(options: str) -> Mapping[str, int]:
    """``"a=1 b"``: option --a takes a value, --b none."""
    return {
        f"--{name}": int(count or 0) for name, _, count in (word.partition("=") for word in options.split())
    }


def target_modules() -> Iterator[tuple[str, TargetModule]]:
    """The targets by name."""
    marks = "set-xmark=1 set-mark=1 and-mark=1 or-mark=1 xor-mark=1"
    nat = "random random-fully persistent"
    yield "REJECT", TargetModule(_values("reject-with=1"), _reject)
    yield "MARK", TargetModule(_values(marks), _mark)
    copies = "save-mark restore-mark nfmask=1 ctmask=1 mask=1 left-shift-mark=1 right-shift-mark=1"
    yield "CONNMARK", TargetModule(_values(f"{marks} {copies}"), _connmark)
    yield "DNAT", TargetModule(_values(f"to-destination=1 {nat}"), lambda values, _: dnat(values))
    yield "SNAT", TargetModule(_values(f"to-source=1 {nat}"), lambda values, _: snat(values))
    yield "MASQUERADE", TargetModule(_values(f"to-ports=1 {nat}"), lambda values, _: masquerade(values))
    yield "REDIRECT", TargetModule(_values(f"to-ports=1 {nat}"), lambda values, _: redirect(values))
    yield "NETMAP", TargetModule(_values("to=1"), lambda values, _: netmap(values))
    zones = "zone=1 zone-orig=1 zone-reply=1"
    yield "CT", TargetModule(_values(f"notrack helper=1 timeout=1 ctevents=1 expevents=1 {zones}"), _ct)
    yield "NOTRACK", TargetModule({}, _notrack)
    yield "TPROXY", TargetModule(_values("on-port=1 on-ip=1 tproxy-mark=1"), _tproxy)
    queue = "queue-num=1 queue-balance=1 queue-bypass queue-cpu-fanout"
    yield "NFQUEUE", TargetModule(_values(queue), _nfqueue)
    sets = "add-set=2 del-set=2 map-set=2 exist timeout=1 map-mark map-prio map-queue"
    yield "SET", TargetModule(_values(sets), _set)
    for name, options in NOOPS.items():
        yield name, TargetModule(_values(options), _noop(name))
