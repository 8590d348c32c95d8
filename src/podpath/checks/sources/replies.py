"""Explanations of replies that take another way, and of a conntrack table that has no room."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.routes import covering, looked_up, route_text
from podpath.checks.steps.translation import dnat_of
from podpath.model.addr import format_addr
from podpath.model.edit import Edit, Outside, SetSysctl

MAXIMUM = "net.netfilter.nf_conntrack_max"
COUNT = "net.netfilter.nf_conntrack_count"
BUCKETS = "net.netfilter.nf_conntrack_buckets"
MOST_BY_KUBE_PROXY = 1_048_576
"""kube-proxy never sets more by itself (cmd/kube-proxy, getConntrackMax)."""


@explanation("reply-asymmetric", kinds=("reply-elsewhere", "reply-not-untranslated"), specificity=20)
def reply_asymmetric(case: Case) -> Explained | None:
    """The answer takes another way than the question came, and never gets to the client.

    ## Why it breaks

    A node answers by its own routes, not by the interface that the packet came in by. With several interfaces, or
    behind a balancer that keeps the client's address, the answer leaves by another one: a firewall or a balancer on
    that way does not know the connection and drops it. Where the answer does not pass the node that translated the
    question, nobody translates it back.

    ## See it by hand

        ip route get <client> from <own address>        # leaves by another device
        conntrack -L -s <client>                        # SYN_RECV: the answer was sent, and nothing came back
        ss -tn state syn-recv

    ## Fix

    A routing rule for answers: `ip rule add from <own address> lookup <table>`, with a table whose default route
    leads back by that interface. With a balancer: let it translate the source, or use policy Cluster.

    ## Often confused with

    rp-filter-strict-asymmetric (the node drops the question), podcidr-route-missing (the way to Pods is lost).
    """
    packet = case.step.packet or case.trace.packet
    back = looked_up(case.netns, packet.dst) if case.netns.routes is not None else None
    route = back.route if back is not None else None
    translation = dnat_of(case)
    by = f" by the route {route_text(route)}" if route is not None else ""
    where = translation.hop.netns.split("/", 1)[1] if translation is not None else ""
    passing = (
        f" and does not pass {where}, which translated the question" if where and where != case.node else ""
    )
    own = format_addr(packet.src)
    return Explained(
        f"{case.node} sends the answer to {format_addr(packet.dst)} elsewhere than to the client{by}{passing}",
        "the answer takes another way than the question",
        ((Outside(f"a routing rule on {case.node} that sends answers from {own} back the way they came"),),),
        f"let answers from {own} leave by the device that the question came in by",
        (
            f"{case.node}: ip route add default via <router of that interface> dev <interface> table 100",
            f"{case.node}: ip rule add from {own} lookup 100",
        ),
        "medium: test it on one node; lost at reboot unless it is in the network configuration",
        evidence=(route.origin,)
        if route is not None
        else tuple(one.origin for one in covering(case.netns, packet.dst)[:1]),
    )


@explanation("conntrack-table-full", kinds=("conntrack-full",))
def conntrack_table_full(case: Case) -> Explained | None:
    """The table of tracked connections is full: new connections are dropped, those that stand go on.

    ## Why it breaks

    Every connection through a node takes an entry. At `nf_conntrack_max` the kernel drops the first packet of any
    new one, before any rule is asked ("nf_conntrack: table full, dropping packet"). It comes with load, with a port
    scan, with many short UDP flows, or with a limit made for a small machine.

    ## See it by hand

        sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max
        conntrack -S | grep -o 'drop=[0-9]*'; dmesg | grep 'table full'
        conntrack -L | awk '{print $5}' | sort | uniq -c | sort -n | tail      # who has most

    ## Fix

    Raise the limit (and nf_conntrack_buckets to a quarter of it). kube-proxy sets it at its start from
    `conntrack.maxPerCore` and `min`: change it there, or it is set back. Then find who opens so many.

    ## Often confused with

    instance-conntrack-allowance (the cloud's own table), snat-port-exhaustion-node (one destination only).
    """
    sysctls = case.netns.sysctls
    limit = sysctls.number(MAXIMUM) if sysctls is not None else None
    if sysctls is None or not limit:
        return None
    raised = str(max(2 * limit, min(4 * limit, MOST_BY_KUBE_PROXY)))
    edits: tuple[Edit, ...] = (SetSysctl(case.netns.id, MAXIMUM, raised, str(limit)),)
    known = case.network.nodes.get(case.node)
    config = known.kube_proxy if known is not None else None
    set_by = (
        (config.origin("conntrack.maxPerCore"),)
        if config is not None and config.conntrack_max_per_core
        else ()
    )
    return Explained(
        f"{case.node} drops new connections: its conntrack table is full ({sysctls.get(COUNT)} of {limit})",
        "no room for a new connection",
        (edits,),
        f"raise {MAXIMUM}, and find who opens so many connections",
        (
            f"{case.node}: sysctl -w {MAXIMUM}={raised}",
            "kubectl -n kube-system edit configmap kube-proxy  # conntrack.maxPerCore and min, or it is set back",
        ),
        "low: about 300 bytes of memory an entry; kube-proxy sets its own value when it starts",
        subject=case.node_ref,
        evidence=(
            sysctls.origin(MAXIMUM),
            *((sysctls.origin(BUCKETS),) if sysctls.get(BUCKETS) else ()),
            *set_by,
        ),
    )
