"""Rules that let packets through, as iptables or nft would hold them, and the edits that put them in."""

from __future__ import annotations

from collections.abc import Iterable

from podpath.checks.steps.verdicts import Verdict
from podpath.model.addr import ALL_BITS, Prefix, format_prefix
from podpath.model.edit import InsertRule, table_id
from podpath.model.flow import ICMP, ICMPV6, protocol_name
from podpath.model.linux import netfilter as nl
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Item, Rule, Table
from podpath.model.network import Netns

SIDES = {"src": ("-s", "saddr"), "dst": ("-d", "daddr")}


def accept_address(table: Table, chain: str, side: str, prefix: Prefix) -> Rule:
    """``-A FORWARD -s 10.0.0.0/8 -j ACCEPT``."""
    flag, field = SIDES[side]
    if table.backend == "native":
        text = f"{_layer3(prefix)} {field} {format_prefix(prefix)} accept"
    else:
        text = f"-A {chain} {flag} {format_prefix(prefix)} -j ACCEPT"
    return Rule(0, text, (xt.AddressMatch(side, prefix), nl.Accept()))


def accept_port(table: Table, chain: str, protocol: int, port: int, source: Prefix | None) -> Rule:
    """``-A INPUT -s 192.0.2.0/24 -p udp -m udp --dport 8472 -j ACCEPT``; port 0 is every port."""
    items: list[Item] = [xt.ProtocolMatch(protocol)]
    name = protocol_name(protocol)
    native = [f"{name} dport {port}" if port else f"meta l4proto {name}"]
    plain = [f"-p {name}", f"-m {name} --dport {port}"] if port else [f"-p {name}"]
    if source is not None:
        items.insert(0, xt.AddressMatch("src", source))
        native.insert(0, f"{_layer3(source)} saddr {format_prefix(source)}")
        plain.insert(0, f"-s {format_prefix(source)}")
    if port:
        items.append(xt.PortMatch("dst", ((port, port),)))
    words = [*native, "accept"] if table.backend == "native" else [f"-A {chain}", *plain, "-j ACCEPT"]
    return Rule(0, " ".join(words), (*items, nl.Accept()))


def accept_too_big(table: Table, chain: str, *, v4: bool) -> Rule:
    """Lets the ICMP error through that tells a sender the MTU of its path."""
    match = xt.IcmpTypeMatch(3, (4, 4)) if v4 else xt.IcmpTypeMatch(2, v4=False)
    if table.backend == "native":
        told = (
            "icmp type destination-unreachable icmp code frag-needed" if v4 else "icmpv6 type packet-too-big"
        )
        text = f"{told} accept"
    elif v4:
        text = f"-A {chain} -p icmp -m icmp --icmp-type 3/4 -j ACCEPT"
    else:
        text = f"-A {chain} -p ipv6-icmp -m icmp6 --icmpv6-type 2 -j ACCEPT"
    return Rule(0, text, (xt.ProtocolMatch(ICMP if v4 else ICMPV6), match, nl.Accept()))


def jump_to(chain: str, target: str, comment: str = "") -> Rule:
    """``-A FORWARD -j FLANNEL-FWD``."""
    said = f' -m comment --comment "{comment}"' if comment else ""
    return Rule(0, f"-A {chain}{said} -j {target}", (nl.Jump(target),), comment)


def _layer3(prefix: Prefix) -> str:
    return "ip" if prefix.net >> 32 == 0xFFFF and prefix.mask >> 32 == ALL_BITS >> 32 else "ip6"


def put(netns: Netns, table: Table, chain: Chain, rule: Rule, position: int = 0) -> InsertRule:
    """The edit that puts a rule into a chain."""
    return InsertRule(netns.id, table_id(table), chain.name, rule, position)


def let_through(verdict: Verdict, ranges: Iterable[Prefix]) -> tuple[InsertRule, ...]:
    """Accepts for ranges of addresses, from them and to them: one direction alone is not enough."""
    return tuple(
        put(
            verdict.netns,
            verdict.table,
            verdict.base,
            accept_address(verdict.table, verdict.base.name, side, prefix),
            0,
        )
        for prefix in ranges
        for side in ("src", "dst")
    )


def let_port_in(
    verdict: Verdict, protocol: int, port: int, sources: Iterable[Prefix]
) -> tuple[InsertRule, ...]:
    """Accepts for a port in the base chain, from some sources (from everywhere when there is none)."""
    table, base = verdict.table, verdict.base
    wanted: list[Prefix | None] = [*sources] or [None]
    return tuple(
        put(verdict.netns, table, base, accept_port(table, base.name, protocol, port, one)) for one in wanted
    )
