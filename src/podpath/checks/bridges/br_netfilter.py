"""Explanations of a bridge whose replies iptables does not see."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.ranges import home_of, host_of
from podpath.model.edit import SetSysctl
from podpath.model.network import Netns
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

SWITCH = "bridge-nf-call-iptables"
KEYS = {True: "net.bridge.bridge-nf-call-iptables", False: "net.bridge.bridge-nf-call-ip6tables"}
CAUSE = "replies that stay in the bridge are not translated back"
RISK = "low; bridged frames then pass iptables, so a policy DROP in FORWARD also hits Pods of one node"


def bridged_reply(case: Case) -> tuple[Netns, str, str] | None:
    """The node, the bridge and the sysctl, where the reply crossed a bridge that iptables does not see."""
    for trace in case.branch.traces:
        for hop in trace.hops:
            for step in hop.steps:
                netns = case.network.namespaces.get(hop.netns)
                if step.stage == "bridge" and step.key == SWITCH and netns is not None and netns.is_host:
                    return netns, step.dev, KEYS[hop.packet.v4]
    host = host_of(case.network, case.node)
    if case.step.key == SWITCH and host is not None:
        return host, case.step.dev, KEYS[case.trace.packet.v4]
    return None


def unreplied(case: Case, netns: Netns) -> tuple[Origin, ...]:
    """A tracked connection to the Service whose answer, from a Pod, never passed the translator."""
    dst = case.promise.flow.dst
    for entry in netns.conntrack or ():
        here = home_of(case.network, entry.reply.src) == netns.node
        if entry.original.dst == dst and entry.unreplied and here:
            return (entry.origin,)
    return ()


@explanation("br-nf-call-iptables-off", kinds=("reply-not-untranslated",))
def br_nf_call_iptables_off(case: Case) -> Explained | None:
    """Bridged packets do not pass iptables: Services fail when the Pod behind them is on the client's own node.

    The switch is the sysctl `net.bridge.bridge-nf-call-iptables`, which is 0.

    ## Why it breaks

    The client's packet to a ClusterIP goes up to the node and is translated. When the chosen Pod is on the same bridge,
    its answer goes straight back over the bridge: with the switch off no iptables rule sees it, nothing translates its
    source back, and the client gets an answer from an address it never asked. It breaks exactly this: Services whose
    Pod is on the client's own node ("DNS fails only while CoreDNS is on my node"). Other nodes, Pod addresses and
    NodePorts work.

    ## See it by hand

        sysctl net.bridge.bridge-nf-call-iptables
        conntrack -L -d <ClusterIP>          # [UNREPLIED], reply source = the Pod

    ## Fix

    `sysctl -w net.bridge.bridge-nf-call-iptables=1` (and bridge-nf-call-ip6tables), kept in /etc/sysctl.d, with
    br_netfilter in /etc/modules-load.d: the key is only there while the module is loaded.

    ## Often confused with

    br-netfilter-module-missing (the key is absent), kube-proxy-rules-missing (nothing was translated at all).
    """
    found = bridged_reply(case)
    if found is None:
        return None
    netns, bridge, key = found
    if netns.sysctls is None or netns.sysctls.get(key) is None:
        return None
    return Explained(
        f"{netns.node} does not let iptables see bridged packets ({key} is 0): "
        "Services fail whose Pod is on the client's own node",
        CAUSE,
        ((SetSysctl(netns.id, key, "1", "0"),),),
        f"let iptables see what {bridge} carries",
        (
            f"{netns.node}: sysctl -w {key}=1",
            f"{netns.node}: echo '{key} = 1' >> /etc/sysctl.d/99-kubernetes.conf",
            f"{netns.node}: echo br_netfilter > /etc/modules-load.d/kubernetes.conf",
        ),
        RISK,
        subject=ObjectRef("Node", "", netns.node),
        evidence=(netns.sysctls.origin(key), *unreplied(case, netns)),
        evidence_first=True,
    )


@explanation("br-netfilter-module-missing", kinds=("reply-not-untranslated",), specificity=31)
def br_netfilter_module_missing(case: Case) -> Explained | None:
    """The module br_netfilter is not loaded: Services fail whose Pod is on the client's own node.

    ## Why it breaks

    Without the module bridged packets never pass iptables, and `net.bridge.*` does not exist. The answer of a Pod on
    the same bridge is not translated back. It comes after a reboot or a kernel upgrade, when the module was loaded by
    hand; flannel refuses to start then ("Failed to check br_netfilter").

    ## See it by hand

        lsmod | grep br_netfilter
        ls /proc/sys/net/bridge

    ## Fix

    `modprobe br_netfilter`, and `echo br_netfilter > /etc/modules-load.d/kubernetes.conf`; then the sysctls, which the
    module sets to 1.

    ## Often confused with

    br-nf-call-iptables-off: the module is there, the switch is 0.
    """
    found = bridged_reply(case)
    if found is None:
        return None
    netns, _, key = found
    if netns.sysctls is None or netns.sysctls.get(key) is not None:
        return None
    return Explained(
        f"{netns.node} has not loaded br_netfilter: Services fail whose Pod is on the client's own node",
        CAUSE,
        ((SetSysctl(netns.id, key, "1"),),),
        "load br_netfilter, now and at boot",
        (
            f"{netns.node}: modprobe br_netfilter",
            f"{netns.node}: echo br_netfilter > /etc/modules-load.d/kubernetes.conf",
            f"{netns.node}: sysctl -w {key}=1",
        ),
        RISK,
        subject=ObjectRef("Node", "", netns.node),
        evidence=(netns.sysctls.origin(key), *unreplied(case, netns)),
        evidence_first=True,
    )
