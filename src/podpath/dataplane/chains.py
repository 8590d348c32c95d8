"""A packet in a chain: rules in order, jumps and gotos, to a verdict (ip_tables.c, nf_tables_core.c).

A chain is compiled when a packet first visits it: rules whose match needs one exact address, port or device are
found through a dict, with rule order kept, so that the 10,000 rules of a KUBE-SERVICES chain cost one look-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import merge
from weakref import WeakKeyDictionary

import msgspec

from podpath.dataplane import nft
from podpath.dataplane.conntrack import UNTRACKED
from podpath.dataplane.errors import RESET
from podpath.dataplane.matching import matches
from podpath.dataplane.rewrites import REWRITES, rewrite, set_ttl
from podpath.dataplane.walk import Walk
from podpath.model.addr import ALL_BITS, is_v4
from podpath.model.flow import TCP
from podpath.model.linux import netfilter as nl
from podpath.model.linux import nftables as nf
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Item, Rule, Table, Target

XT_MATCHES = frozenset(xt.Match.__args__)
MOST_DEPTH = 64
INDEX_FROM = 8
"""Shorter chains are scanned."""


class Compiled(msgspec.Struct):
    """The rules of a chain, with the ways to find those that may match."""

    rules: tuple[Rule, ...]
    items: tuple[tuple[Item, ...], ...]
    dst: dict[int, list[int]]
    src: dict[int, list[int]]
    dport: dict[int, list[int]]
    iif: dict[str, list[int]]
    oif: dict[str, list[int]]
    rest: list[int]

    def candidates(self, walk: Walk) -> Iterable[int]:
        """Numbers of the rules that may match, in order."""
        if not self.dst and not self.src and not self.dport and not self.iif and not self.oif:
            return self.rest
        packet = walk.packet
        found = [
            numbers
            for numbers in (
                self.dst.get(packet.dst),
                self.src.get(packet.src),
                self.dport.get(packet.dport),
                self.iif.get(walk.iif),
                self.oif.get(walk.oif),
            )
            if numbers
        ]
        if not found:
            return self.rest
        return merge(self.rest, *found)


def compile_chain(chain: Chain) -> Compiled:
    """Sort the rules of a chain by what they need."""
    compiled = Compiled(
        chain.rules, tuple(_ordered(rule.items) for rule in chain.rules), {}, {}, {}, {}, {}, []
    )
    if len(chain.rules) < INDEX_FROM:
        compiled.rest.extend(range(len(chain.rules)))
        return compiled
    for number, rule in enumerate(chain.rules):
        field, key = _exact(rule.items)
        if field:
            getattr(compiled, field).setdefault(key, []).append(number)
        else:
            compiled.rest.append(number)
    return compiled


def _ordered(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Matches in an order that asks chance last: they are all ANDed, so only the number of choices changes."""
    if not any(isinstance(item, xt.StatisticMatch) for item in items):
        return items
    return (
        *(i for i in items if type(i) in XT_MATCHES and not isinstance(i, xt.StatisticMatch)),
        *(i for i in items if isinstance(i, xt.StatisticMatch)),
        *(i for i in items if type(i) not in XT_MATCHES),
    )


def _exact(items: tuple[Item, ...]) -> tuple[str, int | str]:
    """The one field with an exact value that a rule needs, the most telling first."""
    best: tuple[int, str, int | str] = (9, "", "")
    for item in items:
        found: tuple[int, str, int | str] | None = None
        if isinstance(item, xt.AddressMatch) and not item.negate and item.prefix.mask == ALL_BITS:
            found = (0 if item.side == "dst" else 1, item.side, item.prefix.net)
        elif (
            isinstance(item, xt.PortMatch)
            and not item.negate
            and item.side == "dst"
            and len(item.ranges) == 1
        ):
            low, high = item.ranges[0]
            found = (2, "dport", low) if low == high else None
        elif isinstance(item, xt.InterfaceMatch) and not item.negate and not item.wildcard and item.name:
            found = (3, "iif" if item.side == "in" else "oif", item.name)
        elif type(item) not in XT_MATCHES:
            break
        if found is not None and found < best:
            best = found
    return best[1], best[2]


_COMPILED: WeakKeyDictionary[Chain, Compiled] = WeakKeyDictionary()


def compiled(chain: Chain) -> Compiled:
    """The compiled form of a chain; kept as long as the chain lives."""
    result = _COMPILED.get(chain)
    if result is None:
        result = _COMPILED[chain] = compile_chain(chain)
    return result


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What a base chain decided, and by which rule; ``rule`` None is the chain's policy."""

    target: Target
    chain: str
    rule: Rule | None
    path: tuple[str, ...] = ()
    """The chains entered on the way, outermost first."""


def run_base_chain(table: Table, chain: Chain, walk: Walk) -> Ruling:
    """Walk a base chain; its end or a RETURN in it is its policy."""
    base = chain.base
    policy: Target = nl.Drop() if base is not None and base.policy == "drop" else nl.Accept()
    stack: list[tuple[str, Iterable[int] | None, Compiled]] = []
    current, program = chain.name, compiled(chain)
    numbers = iter(program.candidates(walk))
    while True:
        target: Target | None = None
        rule: Rule | None = None
        walk.chain = current
        for number in numbers:
            rule = program.rules[number]
            target = run_items(program.items[number], rule, table, walk)
            if target is not None:
                break
        if target is None or isinstance(target, nl.Return):
            if not stack:
                return Ruling(policy, chain.name, None)
            current, numbers, program = stack.pop()  # type: ignore[assignment]
            continue
        if isinstance(target, nl.Jump | nl.Goto):
            following = table.chains.get(target.chain)
            if following is None or len(stack) > MOST_DEPTH:
                return Ruling(nl.UnknownTarget(f"chain {target.chain} is not in the dump"), current, rule)
            if isinstance(target, nl.Jump):
                stack.append((current, numbers, program))
            elif not stack:
                stack.append((chain.name, iter(()), program))
            current, program = following.name, compiled(following)
            numbers = iter(program.candidates(walk))
            continue
        return Ruling(target, current, rule, tuple(name for name, _, _ in stack))


def run_items(items: tuple[Item, ...], rule: Rule, table: Table, walk: Walk) -> Target | None:
    """A rule: its items from left to right. None when it does not match or lets the packet go on."""
    doubtful = False
    for item in items:
        kind = type(item)
        if kind in XT_MATCHES:
            holds = matches(item, walk)  # type: ignore[arg-type]
            if holds is False:
                return None
            doubtful = doubtful or holds is None
            continue
        if kind is nf.NftMatch:
            holds = nft.compare(item, walk, table)  # type: ignore[arg-type]
            if holds is False:
                return None
            doubtful = doubtful or holds is None
            continue
        if kind in _HARMLESS and getattr(item, "name", "") not in REWRITES:
            continue
        if doubtful:
            if not walk.decider.suppose(f"does {walk.packet} match: {table.origin(rule)}: {rule.text}"):
                return None
            doubtful = False
        target = _execute(item, rule, table, walk)
        if target is BROKEN:
            return None
        if target is not None:
            return target
    return None


_HARMLESS = frozenset({nl.Noop, nl.Continue, nf.NftNoop})
BROKEN = nl.Continue()
"""The rule ends here without effect (an expression had no value)."""


def _execute(item: Item, rule: Rule, table: Table, walk: Walk) -> Target | None:
    """One target or statement; None goes on with the next item."""
    match item:
        case nl.SetMark(value=value, mask=mask):
            mark = (walk.packet.mark & ~mask & 0xFFFFFFFF) ^ value
            _set_mark(walk, mark, table, rule)
        case nl.Noop(name=name) | nf.NftNoop(name=name):
            rewrite(name, rule.text, walk)
        case nl.SetConnmark():
            _connmark(item, walk)
        case nl.Notrack() | nf.NftNotrack():
            _notrack(rule, table, walk)
        case nf.NftVerdict(verdict=verdict, chain=chain):
            return verdict_target(verdict, chain)
        case nf.Vmap():
            return _vmap(item, rule, table, walk)
        case nf.Mangle():
            return _mangle(item, rule, table, walk)
        case nf.NftNat():
            return _nat(item, table, walk)
        case nf.NftReject(how=how):
            return nl.Reject(how) if _can_reject(how, rule.text, walk) else BROKEN
        case nf.DynSet():
            return None if not item.conditional else _supposed(rule, table, walk)
        case nf.NftLimit(over=over):
            return BROKEN if over else None
        case nf.NftTproxy(addr=addr, port=port):
            where = nft.evaluate(port, walk, table) if port is not None else walk.packet.dport
            at = nft.evaluate(addr, walk, table) if addr is not None else None
            return nl.Tproxy(where, at) if isinstance(where, int) else nl.UnknownTarget(rule.text)
        case nf.NftQueue(number=number, bypass=bypass):
            return nl.Queue(number, bypass)
        case nf.XtStatement(type=type_, name=name):
            return _xt_statement(type_, name, rule, table, walk)
        case nf.UnknownStatement(text=text):
            return nl.UnknownTarget(text)
        case _:
            return item  # type: ignore[return-value]
    return None


def _notrack(rule: Rule, table: Table, walk: Walk) -> None:
    """What is tracked already stays so, and the next rule has its turn (xt_ct_target, nft_notrack_eval)."""
    if walk.ct is None:
        walk.ct = UNTRACKED
        hook = "output" if walk.local_out else "prerouting"
        walk.note_rule(
            hook.upper(),
            "not tracked",
            table,
            walk.chain,
            rule,
            kind="notrack",
            hook=hook,
            packet=walk.packet,
        )


def _can_reject(how: str, text: str, walk: Walk) -> bool:
    """Whether a packet is of the family or protocol that a rule rejects in.

    Nft lets such a rule match no others (stmt_evaluate_reject), and shows that nowhere; ``icmpx`` is for both.
    """
    if how == RESET:
        return walk.packet.protocol == TCP
    if how.startswith("icmp6-"):
        return not walk.v4
    return walk.v4 or "with icmp " not in text


def _set_mark(walk: Walk, mark: int, table: Table, rule: Rule) -> None:
    if mark != walk.packet.mark:
        walk.note_rule("mark", f"mark {walk.packet.mark:#x} -> {mark:#x}", table, "", rule)
        walk.change(mark=mark)


def _connmark(item: nl.SetConnmark, walk: Walk) -> None:
    entry = walk.ct.entry if walk.ct is not None else None
    if entry is None:
        return
    if item.op == "set":
        entry.mark = (entry.mark & ~item.mask & 0xFFFFFFFF) ^ item.value
    elif item.op == "save":
        entry.mark = (entry.mark & ~item.ctmask & 0xFFFFFFFF) ^ (walk.packet.mark & item.nfmask)
    else:
        walk.change(mark=(walk.packet.mark & ~item.nfmask & 0xFFFFFFFF) ^ (entry.mark & item.ctmask))


def verdict_target(verdict: str, chain: str) -> Target:
    """A verdict of nft as a target."""
    match verdict:
        case "accept":
            return nl.Accept()
        case "drop":
            return nl.Drop()
        case "return":
            return nl.Return()
        case "jump":
            return nl.Jump(chain)
        case "goto":
            return nl.Goto(chain)
        case "continue":
            return BROKEN
    return nl.UnknownTarget(verdict)


def _vmap(item: nf.Vmap, rule: Rule, table: Table, walk: Walk) -> Target | None:
    element = nft.look_up(nft.evaluate(item.key, walk, table), item.data, walk, table)
    if element is None:
        return nl.UnknownTarget(rule.text)
    if isinstance(element, bool) or element.data is None:
        return None
    if isinstance(element.data, nf.VerdictExpr):
        return verdict_target(element.data.verdict, element.data.chain)
    return nl.UnknownTarget(rule.text)


def _mangle(item: nf.Mangle, rule: Rule, table: Table, walk: Walk) -> Target | None:
    value = nft.evaluate(item.value, walk, table)
    if value is nft.BREAK:
        return BROKEN
    match item.key:
        case nf.Meta(key="mark"):
            if not isinstance(value, int):
                return nl.UnknownTarget(rule.text)
            _set_mark(walk, value, table, rule)
        case nf.CtKey(key="mark"):
            if walk.ct is not None and walk.ct.entry is not None and isinstance(value, int):
                walk.ct.entry.mark = value
        case nf.Payload(protocol="ip" | "ip6", field="ttl" | "hoplimit"):
            if isinstance(value, int):
                set_ttl(walk, "set", value)
        case nf.CtKey(key="zone"):
            return nl.UnknownTarget(rule.text)
        case nf.Payload(field="saddr" | "daddr" | "sport" | "dport"):
            return nl.UnknownTarget(rule.text)
    return None


def _nat(item: nf.NftNat, table: Table, walk: Walk) -> Target:
    addr = nft.evaluate(item.addr, walk, table) if item.addr is not None else None
    port = nft.evaluate(item.port, walk, table) if item.port is not None else None
    if isinstance(item.addr, nf.RangeExpr | nf.PrefixExpr):
        return nl.UnknownTarget("translation to one of several addresses")
    if isinstance(item.port, nf.RangeExpr):
        port = (item.port.lo, item.port.hi)
    if addr is nft.BREAK or port is nft.BREAK:
        return BROKEN
    if addr is nft.UNKNOWN or port is nft.UNKNOWN:
        return nl.UnknownTarget("translation to an address that is not known")
    if isinstance(addr, tuple):
        addr, port = addr[0], addr[1]
    if isinstance(addr, int) and is_v4(addr) != walk.v4:
        return (
            BROKEN  # in an inet table nft lets the rule match the address's family only, and does not show it
        )
    addrs = None if addr is None else (addr, addr)
    ports = port if isinstance(port, tuple) or port is None else (port, port)
    match item.kind:
        case "dnat":
            return nl.Dnat(addrs, ports, item.options)
        case "snat":
            return nl.Snat(addrs, ports, item.options)
        case "masquerade":
            return nl.Masquerade(ports, item.options)
    return nl.Redirect(ports)


def _supposed(rule: Rule, table: Table, walk: Walk) -> Target | None:
    return (
        None
        if walk.decider.suppose(f"does {walk.packet} match: {table.origin(rule)}: {rule.text}")
        else BROKEN
    )


def _xt_statement(type_: str, name: str, rule: Rule, table: Table, walk: Walk) -> Target | None:
    if name == "comment" or (
        type_ == "target" and name in ("CHECKSUM", "LOG", "NFLOG", "TCPMSS", "CLASSIFY")
    ):
        return None
    if type_ == "match":
        return _supposed(rule, table, walk)
    return nl.UnknownTarget(rule.text)
