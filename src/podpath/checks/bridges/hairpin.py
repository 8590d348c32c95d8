"""Explanations of a bridge port that does not send a frame where it should: hairpin, isolation."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podpath.checks.case import Case, Explained
from podpath.checks.registry import Promised, explanation, state_check
from podpath.checks.steps.ranges import hosts
from podpath.checks.steps.words import plural
from podpath.model.edit import SetBridgePort
from podpath.model.finding import Finding, Fix, Severity
from podpath.model.linux.cni import CniConfig, config_in_use
from podpath.model.linux.link import Link
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

KEEP = 'new Pods get it from the CNI configuration: "hairpinMode": true in /etc/cni/net.d'


def closed_ports(netns: Netns, bridge: str) -> tuple[Link, ...]:
    """The ports of a bridge that do not send a frame back."""
    links = (netns.links or {}).values()
    return tuple(
        one for one in links if one.master == bridge and one.port is not None and one.port.hairpin is False
    )


def hairpin_on(netns: Netns, ports: tuple[Link, ...]) -> tuple[SetBridgePort, ...]:
    """Hairpin switched on for each port."""
    edits = []
    for link in ports:
        if link.port is not None:
            opened = msgspec.structs.replace(link, port=msgspec.structs.replace(link.port, hairpin=True))
            edits.append(SetBridgePort(netns.id, link, opened, "hairpin on"))
    return tuple(edits)


def configured(network: Network, node: str) -> tuple[CniConfig, bool] | None:
    """The CNI configuration of a node, and whether it asks for hairpin."""
    known = network.nodes.get(node)
    config = config_in_use(known.cni or ()) if known is not None else None
    if config is None or config.main is None:
        return None
    return config, config.main.hairpin_mode is True


@explanation("hairpin-off", kinds=("bridge-port",))
def hairpin_off(case: Case) -> Explained | None:
    """A Pod cannot reach itself through its own Service: its bridge port sends no frame back.

    ## Why it breaks

    When a Service chooses the very Pod that asks, the translated frame must leave the bridge by the port it came in
    by. A bridge does not do that unless `hairpin_mode` of the port is on. It fails in one of n connections, n being the
    number of the Service's Pods. With br_netfilter off the packet is routed instead, and it works.

    ## See it by hand

        bridge -d link show | grep -B1 hairpin                  # hairpin off
        cat /sys/class/net/<veth>/brport/hairpin_mode

    PROMISC on the bridge (`promiscuous-bridge`) proves nothing: on current kernels it does not send the frame back.

    ## Fix

    `bridge link set dev <veth> hairpin on` for the Pods that run, and `"hairpinMode": true` in the CNI
    configuration for those to come. kubelet's --hairpin-mode only concerned kubenet, and is gone since 1.24.

    ## Often confused with

    self-masquerade-missing (the frame comes back, with the Pod's own address as its source).
    """
    if case.step.key != "hairpin":
        return None
    port = (case.netns.links or {}).get(case.step.dev)
    bridge = (case.netns.links or {}).get(port.master) if port is not None else None
    if port is None or bridge is None:
        return None
    ports = closed_ports(case.netns, bridge.name)
    config = configured(case.network, case.node)
    return Explained(
        f"Pods on {case.node} cannot reach themselves through a Service: "
        f"hairpin is off on {plural(len(ports), 'port')} of {bridge.name}",
        "a frame does not leave by the port it came in by",
        (hairpin_on(case.netns, ports),),
        f"switch hairpin on for the ports of {bridge.name}, and keep it in the CNI configuration",
        risk=f"low; lost when a Pod is made again: {KEEP}",
        subject=case.node_ref,
        evidence=((bridge.origin,) if bridge.promisc else ())
        + ((config[0].origin,) if config is not None else ()),
        reason="; ".join(_reasons(bridge, config)),
    )


def _reasons(bridge: Link, config: tuple[CniConfig, bool] | None) -> Iterator[str]:
    if bridge.promisc:
        yield (
            f"{bridge.name} is PROMISC (promiscuous-bridge), which is no substitute: "
            "current kernels send no frame back for it"
        )
    if config is not None and config[1]:
        yield f"the CNI configuration asks for hairpin ({config[0].file}), the ports do not have it"


@state_check("promiscuous-bridge-ineffective", needs=("node/ip-link",))
def promiscuous_bridge_ineffective(network: Network, promised: Promised) -> Iterator[Finding]:  # noqa: ARG001  asks nobody
    """A bridge is PROMISC so that Pods may reach themselves, which it does not do.

    ## Why it breaks

    Old guides ask for `ifconfig cbr0 | grep PROMISC`: kubelet's `promiscuous-bridge` mode let the bridge's own
    stack take the frame and answer. On current kernels (tried on 6.18) a promiscuous bridge with hairpin off still
    does not send a frame back by the port it came from, so the flag proves nothing.

    ## See it by hand

        ip -d link show <bridge> | grep PROMISC
        bridge -d link show | grep hairpin

    ## Fix

    `bridge link set dev <veth> hairpin on`, and `"hairpinMode": true` in the CNI configuration.

    ## Often confused with

    hairpin-off: the same fault without the misleading flag.
    """
    for netns in hosts(network):
        for bridge in (netns.links or {}).values():
            ports = closed_ports(netns, bridge.name)
            pods = [one for one in ports if (netns.id, one.name) in network.peers]
            if bridge.kind != "bridge" or not bridge.promisc or not pods or not _netfilter(netns):
                continue
            edits = hairpin_on(netns, ports)
            yield Finding(
                "promiscuous-bridge-ineffective",
                Severity.WARNING,
                ObjectRef("Node", "", netns.node),
                f"{bridge.name} on {netns.node} is PROMISC, which does not let Pods reach themselves: "
                f"hairpin is off on {plural(len(ports), 'port')}",
                (bridge.origin, *_port_lines(pods)),
                "on current kernels this flag sends no frame back",
                fix=Fix(
                    f"switch hairpin on for the ports of {bridge.name}", risk=f"low; {KEEP}", edits=edits
                ),
            )


def _netfilter(netns: Netns) -> bool:
    sysctls = netns.sysctls
    return sysctls is not None and sysctls.number("net.bridge.bridge-nf-call-iptables", 0) == 1


def _port_lines(ports: list[Link]) -> tuple[Origin, ...]:
    return tuple(one.port.origin for one in ports[:2] if one.port is not None and one.port.origin.file)


@explanation("port-isolated", kinds=("bridge-port",))
def port_isolated(case: Case) -> Explained | None:
    """Two ports of a bridge are isolated from each other, so Pods of one node do not reach one another.

    ## Why it breaks

    Frames do not pass between two ports that are both `isolated`. Private-VLAN setups, hypervisors and some network
    scripts set it. Pods of the node still reach other nodes and the node itself.

    ## See it by hand

        bridge -d link show | grep -B1 'isolated on'

    ## Fix

    `bridge link set dev <veth> isolated off`, and find who sets it when a Pod is made (a CNI plugin's
    configuration, a udev rule).

    ## Often confused with

    bridge-layer-drop (a rule of family bridge), hairpin-off (a Pod and itself).
    """
    if case.step.key != "isolated":
        return None
    link = (case.netns.links or {}).get(case.step.dev)
    if link is None or link.port is None:
        return None
    ports = [
        one
        for one in (case.netns.links or {}).values()
        if one.master == link.master and one.port is not None and one.port.isolated
    ]
    edits = []
    for one in ports:
        if one.port is not None:
            opened = msgspec.structs.replace(one, port=msgspec.structs.replace(one.port, isolated=False))
            edits.append(SetBridgePort(case.netns.id, one, opened, "isolated off"))
    return Explained(
        f"Pods on {case.node} do not reach one another: {plural(len(ports), 'port')} of {link.master} are isolated",
        "no frame passes between two isolated ports",
        (tuple(edits),),
        risk="low where nobody isolated them on purpose; lost when a Pod is made again",
        subject=case.node_ref,
    )
