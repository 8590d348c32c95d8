"""What kube-proxy would write for a Service port: stands for its restart when a fix is tried in the model."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.steps.translation import dispatch_to, live_endpoint, service_at, services_chain
from podpath.model.addr import ALL_BITS, Prefix, is_v4
from podpath.model.edit import InsertRule, table_id
from podpath.model.flow import endpoint_text, protocol_name
from podpath.model.linux import netfilter as nl
from podpath.model.linux import xtables as xt
from podpath.model.linux.netfilter import Chain, Item, Rule, Table
from podpath.model.network import Netns, Network
from podpath.model.promise import Promise

MARKS = ("KUBE-MARK-MASQ", "mark-for-masquerade")
"""kube-proxy's chains that mark for masquerade (iptables mode, nftables mode)."""
MASQUERADED = frozenset({"node-port", "load-balancer", "external-ip", "self"})
"""Kinds of promises whose answers come back only if the source was replaced."""
MOST = 200


def reprogrammed(network: Network, netns: Netns, promises: tuple[Promise, ...]) -> tuple[InsertRule, ...]:
    """Translations to a live endpoint for all that these promises ask and no rule of the node translates."""
    edits: dict[tuple[int, int, int], tuple[InsertRule, ...]] = {}
    for promise in promises:
        flow = promise.flow
        key = flow.dst, flow.dport, flow.protocol
        if key not in edits and len(edits) < MOST:
            edits[key] = tuple(_translation(network, netns, *key, masquerade=promise.kind in MASQUERADED))
    return tuple(edit for one in edits.values() for edit in one)


def untranslated(network: Network, netns: Netns, addr: int, port: int, protocol: int) -> bool:
    """Whether kube-proxy's chain sends a Service's address nowhere (or to a chain that is not there, or is empty)."""
    found = services_chain(netns, v4=is_v4(addr))
    if found is None:
        return True
    table, chain = found
    service = network.cluster.services_by_cluster_ip.get(addr)
    target = dispatch_to(table, chain, addr, port, protocol)
    if service is None and not target:
        return not _serves_node_port(table, port, protocol)
    known = table.chains.get(target)
    return known is None or not known.rules


def _serves_node_port(table: Table, port: int, protocol: int) -> bool:
    """Whether a rule for the NodePort stands in kube-proxy's chain for them, or in its map."""
    chain = table.chains.get("KUBE-NODEPORTS")
    wanted = xt.PortMatch("dst", ((port, port),))
    if chain is not None:
        return any(wanted in rule.items and xt.ProtocolMatch(protocol) in rule.items for rule in chain.rules)
    return any(name.endswith("nodeports") and elements.elements for name, elements in table.sets.items())


def _translation(
    network: Network, netns: Netns, addr: int, port: int, protocol: int, *, masquerade: bool
) -> Iterator[InsertRule]:
    found = service_at(network, addr, port, protocol)
    live = (
        live_endpoint(network, found[0], found[1], netns.node, v4=is_v4(addr))
        if found is not None and found[1] is not None
        else None
    )
    if live is None:
        return
    for table, chain in _places(netns, v4=is_v4(addr)):
        ident = table_id(table)
        yield InsertRule(netns.id, ident, chain.name, _dnat(table, chain, (addr, port, protocol), live), 0)
        mark = next((name for name in MARKS if name in table.chains), "")
        if masquerade and mark:
            yield InsertRule(
                netns.id, ident, chain.name, _marked(table, chain, (addr, port, protocol), mark), 0
            )


def _places(netns: Netns, *, v4: bool) -> Iterator[tuple[Table, Chain]]:
    """kube-proxy's chain; where there is none, the base chains that translate destinations."""
    found = services_chain(netns, v4=v4)
    if found is not None:
        yield found
        return
    for table in netns.tables:
        for chain in table.chains.values() if table.family == ("ip" if v4 else "ip6") else ():
            base = chain.base
            if base is not None and base.type == "nat" and base.hook in ("prerouting", "output"):
                yield table, chain


def _selected(addr: int, port: int, protocol: int) -> tuple[Item, ...]:
    return (
        xt.AddressMatch("dst", Prefix(addr, ALL_BITS)),
        xt.ProtocolMatch(protocol),
        xt.PortMatch("dst", ((port, port),)),
    )


def _words(table: Table, chain: Chain, key: tuple[int, int, int]) -> str:
    addr, port, protocol = key
    name = protocol_name(protocol)
    if table.backend == "native":
        layer3 = "ip" if is_v4(addr) else "ip6"
        return f"{layer3} daddr {endpoint_text(addr, 0)} {name} dport {port}"
    return f"-A {chain.name} -d {Prefix(addr, ALL_BITS)} -p {name} -m {name} --dport {port}"


def _dnat(table: Table, chain: Chain, key: tuple[int, int, int], live: tuple[int, int]) -> Rule:
    target = nl.Dnat((live[0], live[0]), (live[1], live[1]))
    to = "dnat to" if table.backend == "native" else "-j DNAT --to-destination"
    return Rule(0, f"{_words(table, chain, key)} {to} {endpoint_text(*live)}", (*_selected(*key), target))


def _marked(table: Table, chain: Chain, key: tuple[int, int, int], mark: str) -> Rule:
    jump = "jump" if table.backend == "native" else "-j"
    return Rule(0, f"{_words(table, chain, key)} {jump} {mark}", (*_selected(*key), nl.Jump(mark)))
