"""What every kind of step means, in words: the table behind the plain answers and their pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from podpath.checks.case import Case
from podpath.checks.steps import mending
from podpath.model.edit import Edit

Mend = Callable[[Case], tuple[tuple[Edit, ...], ...]]


class Plain(NamedTuple):
    """What is said of a kind of step: its message (``{place}`` is where, ``{text}`` what the step says), its page."""

    message: str
    cause: str
    about: str
    look: str
    mend: Mend


KINDS: dict[str, Plain] = {
    "chain-policy-drop": Plain(
        "{place} drops what no rule accepts: {where}",
        "what no rule accepts ends here",
        "A chain's policy ends the packet: no rule accepted it.",
        "iptables -S; nft list ruleset",
        mending.line_away,
    ),
    "rule-drop": Plain(
        "{place} drops it by a rule: {where}",
        "this rule drops it",
        "A rule ends the packet silently.",
        "iptables-save -c; nft list ruleset",
        mending.line_away,
    ),
    "rule-reject": Plain(
        "{place} rejects it by a rule: {where}",
        "this rule rejects it",
        "A rule ends the packet and tells the sender so.",
        "iptables-save -c; nft list ruleset",
        mending.line_away,
    ),
    "policy-deny": Plain(
        "{place}: {text}",
        "a policy denies it",
        "NetworkPolicies deny the connection.",
        "kubectl get networkpolicies -A",
        mending.nothing,
    ),
    "no-route": Plain(
        "{place} has no route: {text}",
        "no route leads there",
        "The kernel finds no route for the destination.",
        "ip route get <address>",
        mending.route_wanted,
    ),
    "null-route": Plain(
        "{place} ends it by a null route: {text}",
        "this route ends what it covers",
        "A blackhole, unreachable or prohibit route (or routing rule) covers the destination.",
        "ip route get <address>; ip rule",
        mending.null_away,
    ),
    "wrong-route": Plain(
        "{place} sends it the wrong way: {text}",
        "this route leads elsewhere",
        "The packet takes a route that does not lead to its destination.",
        "ip route get <address>",
        mending.route_wanted,
    ),
    "forwarding-off": Plain(
        "{place} does not forward: {text}",
        "packets for others end here",
        "The device that the packet came in by may not forward.",
        "sysctl -a -r forwarding",
        mending.switch_on,
    ),
    "rp-filter": Plain(
        "{place} drops it by the reverse path filter: {text}",
        "the way back is another one",
        "The reverse path filter takes the source for forged.",
        "sysctl -a -r rp_filter; ip route get <source>",
        mending.loose,
    ),
    "martian": Plain(
        "{place} takes the source for forged: {text}",
        "an address that cannot come from there",
        "The kernel accepts no packet with such a source or destination from a wire.",
        "sysctl net.ipv4.conf.all.log_martians=1; dmesg",
        mending.switch_on,
    ),
    "ttl-expired": Plain(
        "a packet goes in a circle, until its TTL ends at {place}",
        "the TTL has run out",
        "Two or more machines send the packet to each other.",
        "traceroute <address>; ip route get <address> on each of them",
        mending.route_wanted,
    ),
    "neighbor-unresolved": Plain(
        "nobody answers {place} for {key}: {text}",
        "no answer to who has this address",
        "Nobody on the segment answers for the next hop's address.",
        "ip neigh show <address>; ip route get <address>",
        mending.route_wanted,
    ),
    "neighbor-wrong": Plain(
        "a frame gets to somebody else at {place}: {text}",
        "not the device that the frame is for",
        "The frame is for a MAC address that the receiver does not have.",
        "ip neigh; bridge fdb; ip -s -s link (RX otherhost)",
        mending.nothing,
    ),
    "link-down": Plain(
        "{place}: {text}",
        "the device is down",
        "A device on the way is down, or has no carrier.",
        "ip link show",
        mending.link_up,
    ),
    "bridge-port": Plain(
        "a bridge port of {place} stops the frame: {text}",
        "the port does not send it",
        "A port of a bridge does not forward the frame.",
        "bridge -d link show; bridge vlan show",
        mending.port_open,
    ),
    "parent-isolation": Plain(
        "{place} does not reach its own host: {text}",
        "a macvlan or ipvlan child and its parent do not talk",
        "A child device of a macvlan or ipvlan does not reach the parent's own host.",
        "ip -d link show",
        mending.nothing,
    ),
    "tunnel-no-peer": Plain(
        "{place} does not know the tunnel's other end: {text}",
        "no entry for this MAC address",
        "The tunnel's device has no entry for the destination.",
        "bridge fdb show dev <device>",
        mending.nothing,
    ),
    "tunnel-wrong-peer": Plain(
        "{place} sends the tunnel's packets to the wrong host: {text}",
        "not the node that has these Pods",
        "The tunnel's outer packet goes to an address that is not the right node's.",
        "bridge fdb show dev <device>",
        mending.nothing,
    ),
    "tunnel-refused": Plain(
        "{place} does not take the tunnel's packets: {text}",
        "no tunnel device takes it",
        "The packet arrives at a node that has no tunnel device for it.",
        "ip -d link show type vxlan",
        mending.nothing,
    ),
    "nat-missing": Plain(
        "{place} does not translate a Service's address: {text}",
        "nothing translates this address",
        "The address of a Service stays as it is: no rule translates it.",
        "iptables-save -t nat; nft list ruleset",
        mending.nothing,
    ),
    "nat-wrong-target": Plain(
        "{place} sends a Service to somebody who does not serve it: {where}",
        "this rule sends it elsewhere",
        "A translation leads to a server that is not one of the Service's.",
        "iptables-save -t nat; nft list ruleset",
        mending.translation_away,
    ),
    "reply-not-untranslated": Plain(
        "an answer is not translated back at {place}: {text}",
        "the answer comes from another address than was asked",
        "The answer does not pass the node that translated the question.",
        "conntrack -L -d <address>",
        mending.nothing,
    ),
    "reply-elsewhere": Plain(
        "an answer takes another way at {place}: {text}",
        "the answer does not go to the client",
        "The answer goes elsewhere than to the client.",
        "ip route get <client> from <server>",
        mending.route_wanted,
    ),
    "source-unanswerable": Plain(
        "{place} lets a packet out whose source nobody can answer: {text}",
        "no way back to this source",
        "The packet leaves with an address that nobody outside knows the way to.",
        "iptables -t nat -S POSTROUTING",
        mending.nothing,
    ),
    "source-replaced": Plain(
        "{place} replaces the source: {text}",
        "another source address",
        "The server sees another address than the client's.",
        "iptables-save -t nat; conntrack -L",
        mending.nothing,
    ),
    "conntrack-full": Plain(
        "{place} drops new connections: {text}",
        "no room for a new connection",
        "The table of tracked connections is full.",
        "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
        mending.more_room,
    ),
    "conntrack-stale": Plain(
        "{place} follows an old entry of conntrack: {text}",
        "an entry of another time",
        "A tracked connection leads to somebody who is gone.",
        "conntrack -L",
        mending.nothing,
    ),
    "conntrack-invalid": Plain(
        "{place} takes a packet for invalid: {text}",
        "out of its connection's window",
        "Connection tracking does not know the packet any more.",
        "conntrack -S; sysctl net.netfilter.nf_conntrack_tcp_be_liberal",
        mending.nothing,
    ),
    "nat-no-free-port": Plain(
        "{place} has no free port to translate to: {text}",
        "all ports are in use",
        "All source ports towards one destination are in use.",
        "conntrack -S (insert_failed); conntrack -L | wc -l",
        mending.nothing,
    ),
    "too-big": Plain(
        "a packet does not fit at {place}; its sender is told: {text}",
        "larger than the MTU",
        "A packet is larger than the MTU of the way on, and the sender is told.",
        "ip link show; nstat -az IpFragFails",
        mending.larger,
    ),
    "too-big-silent": Plain(
        "a packet does not fit at {place}, and its sender never hears of it: {text}",
        "too big, and nobody is told",
        "A packet is larger than the MTU of the way on, and the sender is not told.",
        "ip link show; nstat -az IpFragFails; iptables-save -c",
        mending.larger,
    ),
    "no-listener": Plain(
        "nothing listens at {place}: {text}",
        "no socket on this port",
        "The connection gets there, and no process has the port open.",
        "ss -lntu",
        mending.process,
    ),
    "listener-elsewhere": Plain(
        "the socket at {place} is bound elsewhere: {text}",
        "bound to another address",
        "A process has the port open, at another address or for the other family.",
        "ss -lntu",
        mending.process,
    ),
    "queue-full": Plain(
        "{place} takes no new connections: {text}",
        "the queue is full",
        "The queue of a socket is full.",
        "ss -lnt; nstat -az TcpExtListenOverflows",
        mending.nothing,
    ),
    "no-local-port": Plain(
        "{place} has no local port left: {text}",
        "all local ports are in use",
        "The client has no free port towards the destination.",
        "sysctl net.ipv4.ip_local_port_range; ss -s",
        mending.nothing,
    ),
    "unresolved-name": Plain(
        "a name does not resolve at {place}: {text}",
        "no answer for this name",
        "The name has no address.",
        "nslookup <name>; cat /etc/resolv.conf",
        mending.nothing,
    ),
    "lost-between": Plain(
        "{place}: it leaves one node and never reaches the other: {text}",
        "nothing in the state of either node stops it",
        "Both nodes would let it pass, and it does not arrive: something between them stops it.",
        "tcpdump on both nodes; counters of both devices, twice",
        mending.nothing,
    ),
    "unreadable": Plain(
        "what happens at {place} is not seen: {text}",
        "sight ends here",
        "The state that decides was not collected, or cannot be read.",
        "what the message names",
        mending.nothing,
    ),
    "notrack": Plain(
        "{place} does not track it: {where}",
        "not tracked, so never translated",
        "A rule takes the packet out of connection tracking.",
        "iptables-save -t raw",
        mending.line_away,
    ),
}
"""A row a kind of step (``model.trace``)."""
