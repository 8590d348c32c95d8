"""Match modules that read what the kernel knows of a packet: connection, socket, devices, sets, lists, routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from podpath.model.linux.xtables import (
    AddrTypeMatch,
    AlwaysMatch,
    CtFieldMatch,
    CtState,
    CtStateMatch,
    CtTupleMatch,
    LimitMatch,
    Match,
    OwnerMatch,
    PhysdevMatch,
    PolicyMatch,
    RecentMatch,
    RpFilterMatch,
    SetMatch,
    SocketMatch,
    StatisticMatch,
    UnknownMatch,
)
from podpath.parse.iptables_grammar import Module, Option, each, no_negation, together
from podpath.parse.iptables_names import ADDRESS_TYPES
from podpath.parse.iptables_values import device, number, numbers, ports, prefix, protocol

Handler = Callable[[Option], Match]
Options = Mapping[str, Option]


def _states(option: Option) -> Match:
    states = CtState(0)
    for name in option.value.upper().split(","):
        if name not in CtState.__members__:
            raise ValueError(f"{name} is not a state of a connection")
        states |= CtState[name]
    return CtStateMatch(states, option.negate)


def _tuple_address(which: str) -> Handler:
    return lambda option: CtTupleMatch(which, prefix=prefix(option.value), negate=option.negate)


def _tuple_ports(which: str) -> Handler:
    return lambda option: CtTupleMatch(which, ports=ports(option.value), negate=option.negate)


STATUSES = frozenset({"NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"})


def _proto(option: Option) -> Match:
    kind = protocol(option.value)
    if not kind:
        raise ValueError("0 is no protocol of a connection")
    return CtFieldMatch("proto", str(kind), option.negate)  # iptables-save prints the number


def _status(option: Option) -> Match:
    if not STATUSES.issuperset(option.value.upper().split(",")):
        raise ValueError(f"{option.value} is not a status of a connection")
    return CtFieldMatch("status", option.value, option.negate)


def _expire(option: Option) -> Match:
    numbers(option.value, 0xFFFFFFFF)
    return CtFieldMatch("expire", option.value, option.negate)


def _direction(option: Option) -> Match:
    if option.value.upper() not in {"ORIGINAL", "REPLY"}:
        raise ValueError(f"{option.value} is not a direction")
    return CtFieldMatch("dir", option.value.upper(), no_negation(option).negate)


SIDES = ("origsrc", "origdst", "replsrc", "repldst")
_CONNTRACK: Mapping[str, Handler] = {
    "--ctstate": _states,
    **{f"--ct{side}": _tuple_address(side) for side in SIDES},
    **{f"--ct{side}port": _tuple_ports(f"{side}port") for side in SIDES},
    "--ctproto": _proto,
    "--ctstatus": _status,
    "--ctexpire": _expire,
    "--ctdir": _direction,
}


def _addrtype(options: Options) -> Iterator[Match]:
    limits = [side for side in ("in", "out") if f"--limit-iface-{side}" in options]
    sides = [option for name, option in options.items() if not name.startswith("--limit")]
    if len(limits) > 1 or not sides:
        raise ValueError("it needs a type, and one interface at most")
    for option in sides:
        types = frozenset(option.value.upper().split(","))
        if types - ADDRESS_TYPES:
            raise ValueError(f"{option.value} is not a type of address")
        yield AddrTypeMatch(option.name[2:5], types, "".join(limits), option.negate)


def _statistic(options: Options) -> Iterator[Match]:
    mode = options["--mode"].value if "--mode" in options else ""
    if mode == "random" and "--probability" in options:
        chance = options["--probability"]
        if not 0 <= float(chance.value) <= 1:
            raise ValueError(f"{chance.value} is not a probability")
        yield StatisticMatch(float(chance.value), negate=chance.negate)
    elif mode == "nth" and "--every" in options:
        every = number(options["--every"].value)
        if not every:
            raise ValueError("every must be more than 0")
        yield StatisticMatch(1 / every, "nth", options["--every"].negate)
    else:
        raise ValueError("it has no mode that is known")


ANY_MASK = {"", "255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


def _recent(options: Options) -> Iterator[Match]:
    ops = [option for name, option in options.items() if name in _RECENT_OPS]
    if len(ops) != 1:
        raise ValueError("it needs one of --set, --rcheck, --update and --remove")
    op = ops[0]
    mask = options["--mask"].value if "--mask" in options else ""
    if op.name != "--set" and (mask not in ANY_MASK or "--rttl" in options):
        raise ValueError("--rttl and a mask are not looked up")
    yield RecentMatch(
        op.name[2:],
        options["--name"].value if "--name" in options else "DEFAULT",
        "dst" if "--rdest" in options else "src",
        number(options["--seconds"].value) if "--seconds" in options else None,
        number(options["--hitcount"].value) if "--hitcount" in options else None,
        op.negate,
    )


SET_NAMES = ("--match-set", "--set")


def _set(options: Options) -> Iterator[Match]:
    named = [options[name] for name in SET_NAMES if name in options]
    if len(named) != 1:
        raise ValueError("it needs one --match-set")
    name, flags = named[0].values
    sides = tuple(flags.split(","))
    if not set(sides) <= {"src", "dst"}:
        raise ValueError(f"{flags} is not a list of src and dst")
    counters = [option.text for name, option in options.items() if name.startswith(("--packets", "--bytes"))]
    yield SetMatch(name, sides, "--return-nomatch" in options, named[0].negate, " ".join(counters))


def _port_device(which: str) -> Handler:
    return lambda option: PhysdevMatch(which, *device(option.value), option.negate)


def _port_state(which: str) -> Handler:
    return lambda option: PhysdevMatch(which, negate=option.negate)


_PHYSDEV: Mapping[str, Handler] = {
    "--physdev-in": _port_device("in"),
    "--physdev-out": _port_device("out"),
    "--physdev-is-in": _port_state("is-in"),
    "--physdev-is-out": _port_state("is-out"),
    "--physdev-is-bridged": _port_state("is-bridged"),
}


def _rpfilter(options: Options) -> Iterator[Match]:
    inverted = options.get("--invert")
    negate = inverted is not None and not inverted.negate
    yield RpFilterMatch("--loose" in options, "--validmark" in options, "--accept-local" in options, negate)


def _owner(which: str) -> Handler:
    def handler(option: Option) -> Match:
        value = "0" if option.value == "root" else option.value
        return OwnerMatch(which, numbers(value, 0xFFFFFFFF, "-"), option.negate)

    return handler


def _socket_exists(option: Option) -> Match:
    return OwnerMatch("socket-exists", negate=option.negate)


def _not_kept(option: Option) -> Match:
    del option
    raise ValueError("it is not looked up")


_OWNER: Mapping[str, Handler] = {
    "--uid-owner": _owner("uid"),
    "--gid-owner": _owner("gid"),
    "--socket-exists": _socket_exists,
    "--suppl-groups": _not_kept,
    "--pid-owner": _not_kept,
    "--sid-owner": _not_kept,
    "--cmd-owner": _not_kept,
}


def _socket(options: Options) -> Iterator[Match]:
    yield SocketMatch("--transparent" in options, "--nowildcard" in options)
    if "--restore-skmark" in options:
        yield UnknownMatch("-m socket --restore-skmark")  # the packet gets the socket's mark


def _policy(options: Options) -> Iterator[Match]:
    given = {option.name: option.value for option in options.values()}
    direction, policy = given.get("--dir", ""), given.get("--pol", "")
    if direction not in {"in", "out"} or policy not in {"none", "ipsec"}:
        raise ValueError("it needs --dir in or out, and --pol none or ipsec")
    yield PolicyMatch(direction, policy)
    elements = [option.text for name, option in options.items() if name not in {"--dir", "--pol"}]
    if elements:
        yield UnknownMatch(f"-m policy {' '.join(elements)}")


def _limit(options: Options) -> Iterator[Match]:
    del options  # how many packets pass; the one asked about is the first
    yield LimitMatch()


def _nfacct(options: Options) -> Iterator[Match]:
    if not options:
        raise ValueError("it has no name")
    yield AlwaysMatch("nfacct")


_SET_OPTIONS = {
    "--match-set": 2, "--set": 2, "--return-nomatch": 0, "--update-counters": 0, "--update-subcounters": 0,
    "--packets-eq": 1, "--packets-lt": 1, "--packets-gt": 1, "--bytes-eq": 1, "--bytes-lt": 1, "--bytes-gt": 1,
}  # fmt: skip
_RECENT_OPTIONS = {
    "--set": 0, "--rcheck": 0, "--update": 0, "--remove": 0, "--seconds": 1, "--reap": 0, "--hitcount": 1,
    "--rttl": 0, "--name": 1, "--rsource": 0, "--rdest": 0, "--mask": 1,
}  # fmt: skip
_POLICY_OPTIONS = {
    "--dir": 1, "--pol": 1, "--strict": 0, "--reqid": 1, "--spi": 1, "--tunnel-src": 1, "--tunnel-dst": 1,
    "--proto": 1, "--mode": 1, "--next": 0,
}  # fmt: skip
_FLAGS = ("--physdev-is-in", "--physdev-is-out", "--physdev-is-bridged")


def _values(handlers: Mapping[str, Handler], *flags: str) -> Mapping[str, int]:
    return {name: int(name not in flags) for name in handlers}


_ADDRTYPE_OPTIONS = {"--src-type": 1, "--dst-type": 1, "--limit-iface-in": 0, "--limit-iface-out": 0}
_STATISTIC_OPTIONS = dict.fromkeys(("--mode", "--probability", "--every", "--packet"), 1)
_RPFILTER_OPTIONS = dict.fromkeys(("--loose", "--validmark", "--accept-local", "--invert"), 0)
_SOCKET_OPTIONS = dict.fromkeys(("--transparent", "--nowildcard", "--restore-skmark"), 0)
_POLICY_ELEMENT = {"--reqid", "--spi", "--tunnel-src", "--tunnel-dst", "--proto", "--mode"}
_LIMIT_OPTIONS = {"--limit": 1, "--limit-burst": 1}
_RECENT_OPS = {"--set", "--rcheck", "--update", "--remove"}


def _together(
    handler: Callable[[Options], Iterator[Match]], values: Mapping[str, int], negatable: set[str]
) -> Module:
    return Module(values, together(handler, positive=values.keys() - negatable))


def state_modules() -> Iterator[tuple[str, Module]]:
    """The modules by name."""
    yield "conntrack", Module(_values(_CONNTRACK), each(_CONNTRACK))
    yield "state", Module({"--state": 1}, each({"--state": _states}))
    yield "addrtype", _together(_addrtype, _ADDRTYPE_OPTIONS, {"--src-type", "--dst-type"})
    yield "statistic", _together(_statistic, _STATISTIC_OPTIONS, {"--probability", "--every"})
    yield "recent", _together(_recent, _RECENT_OPTIONS, _RECENT_OPS)
    yield "set", _together(_set, _SET_OPTIONS, _SET_OPTIONS.keys() - {"--return-nomatch"})
    yield "physdev", Module(_values(_PHYSDEV, *_FLAGS), each(_PHYSDEV))
    yield "rpfilter", _together(_rpfilter, _RPFILTER_OPTIONS, {"--invert"})
    yield "owner", Module(_values(_OWNER, "--socket-exists", "--suppl-groups"), each(_OWNER))
    yield "socket", _together(_socket, _SOCKET_OPTIONS, set())
    yield "policy", _together(_policy, _POLICY_OPTIONS, _POLICY_ELEMENT)
    yield "limit", _together(_limit, _LIMIT_OPTIONS, set())
    yield "nfacct", _together(_nfacct, {"--nfacct-name": 1}, set())
