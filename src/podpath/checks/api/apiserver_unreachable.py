"""apiserver-down and apiserver-firewalled, told apart by what those say who ask."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.checks.host.clock import log_age_s
from podpath.checks.host.dialing import NO_ROUTE, REFUSED, TIMEOUT, Dialed, dialed, model_fails
from podpath.checks.host.log_lines import is_recent
from podpath.checks.registry import Promised, state_check
from podpath.model.addr import format_addr
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.flow import TCP, endpoint_text
from podpath.model.kube.cluster import grouped
from podpath.model.linux.sockets import Socket
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

API_SERVICE = ("default", "kubernetes")
FEW = 2
"""Fewer lines than that may be a restart."""
START = Fix(
    "see why the API server does not run, and let the kubelet start it again",
    (
        "on the control plane: crictl ps -a --name kube-apiserver; crictl logs <id>",
        "on the control plane: ls -l /etc/kubernetes/manifests/kube-apiserver.yaml; journalctl -u kubelet -n 50",
    ),
    "low: these commands only read",
)


@state_check("apiserver-down", severity=Severity.ERROR, needs=("node/logs",))
def apiserver_down(network: Network, _promised: Promised) -> Iterator[Finding]:
    """The API server does not run: connections to it are refused.

    ## Why it breaks

    "connection refused" is an answer of the machine: it is up and reached, and no program listens on the port. Running
    Pods and rules stay as they are; nothing new happens in the cluster.

    ## See it by hand

        curl -k https://<address>:6443/livez           # from the node that complains
        crictl ps -a --name kube-apiserver             # on the control plane
        ss -ltn 'sport = :6443'

    ## Fix

    Read the last log of the API server's container: a broken manifest, an expired certificate, etcd that does not
    answer.

    ## Often confused with

    *apiserver-firewalled*: a timeout, or "no route to host", comes from the way, not from the machine.
    *kubernetes-svc-endpoints-wrong*: the address asked is no API server's.
    """
    for (addr, port), lines in _failing(network).items():
        if lines[-1].how == REFUSED and _listener(network, addr, port) is None:
            yield _found(network, "apiserver-down", addr, port, lines)


@state_check("apiserver-firewalled", severity=Severity.ERROR, needs=("node/logs",))
def apiserver_firewalled(network: Network, _promised: Promised) -> Iterator[Finding]:
    """Something on the way keeps nodes from the API server.

    ## Why it breaks

    A timeout means that nobody answered: a firewall, a security group or a lost route swallows the packets. "no route
    to host" is mostly a firewall's reject. The API server may be well, as it is for those who still reach it.

    ## See it by hand

        nc -vz <address> 6443                          # from each node, and from a Pod of it
        iptables-save | grep -E 'dport 6443|INPUT DROP'    # on the control plane

    ## Fix

    Let nodes (and Pods, where they are not masqueraded) through to the API server's port, on the control plane and in
    the cloud's security group.

    ## Often confused with

    *apiserver-down*: "connection refused" is the machine's own answer.
    """
    for (addr, port), lines in _failing(network).items():
        if lines[-1].how in (TIMEOUT, NO_ROUTE) or _listener(network, addr, port) is not None:
            yield _found(network, "apiserver-firewalled", addr, port, lines)


def _failing(network: Network) -> dict[tuple[int, int], tuple[Dialed, ...]]:
    """Recent failures at an address of the API server that the model does not explain, the last one last."""
    service = network.cluster.services.get(API_SERVICE)
    slices = network.cluster.slices_of(service) if service else ()
    addresses = {addr for one in slices for endpoint in one.endpoints for addr in endpoint.addresses}
    virtual = network.cluster.services_by_cluster_ip
    lines = [
        one
        for one in dialed(network)
        if one.protocol == TCP
        and (one.api or one.addr in addresses)
        and one.addr not in virtual
        and is_recent(network, one.said)
    ]
    found = {}
    for target, of_target in grouped(((one.addr, one.port), one) for one in lines).items():
        last = of_target[-1]
        if len(of_target) >= FEW and not (network.cluster.nodes and model_fails(network, last)):
            found[target] = of_target
    return found


def _listener(network: Network, addr: int, port: int) -> Socket | None:
    """The socket that waits at an address, where its machine's sockets are known."""
    netns = _machine(network, addr)
    for socket in (netns.sockets if netns else None) or ():
        if socket.state == "LISTEN" and socket.port == port and socket.local in (None, addr):
            return socket
    return None


def _machine(network: Network, addr: int) -> Netns | None:
    owners = network.owners.get(addr, ())
    return network.namespaces[owners[0][0]] if owners else None


def _found(network: Network, code: str, addr: int, port: int, lines: tuple[Dialed, ...]) -> Finding:
    target = endpoint_text(addr, port)
    nodes = sorted({one.said.node for one in lines})
    machine, listens = _machine(network, addr), _listener(network, addr, port)
    how, dated = lines[-1].how, log_age_s(network, lines[-1].said.line.time) is not None
    evidence = [lines[-1].said.line.origin, *(one.said.line.origin for one in lines[:1])]
    if listens is not None:
        evidence.append(listens.origin)
    elif machine is not None and machine.sockets is not None:
        evidence.append(Origin(f"{machine.folder}/ss", 0, f"no program listens on port {port}"))
    node = network.cluster.node_by_address.get(addr)
    severe = dated or not network.cluster.has("nodes")
    down = code == "apiserver-down"
    return Finding(
        code=code,
        severity=Severity.ERROR if severe else Severity.WARNING,
        subject=node.ref if node else ObjectRef("Outside", "", format_addr(addr)),
        message=f"{_who(nodes)} at the API server {target}: {how}"
        + (", nobody listens there" if down else _lost(how)),
        evidence=tuple(dict.fromkeys(evidence)),
        cause="the machine answers, and no program does" if down else "the packets end on the way",
        confidence=Confidence.CERTAIN if down and machine is not None else Confidence.LIKELY,
        fix=START if down else _open(port, nodes, how),
        broken=len(nodes) if severe else 0,
    )


def _who(nodes: list[str]) -> str:
    return f"{nodes[0]} fails" if len(nodes) == 1 else f"{len(nodes)} nodes fail"


def _lost(how: str) -> str:
    if how == NO_ROUTE:
        return ", which is mostly a firewall's reject"
    return (
        ", so a firewall or a lost route is on the way"
        if how == TIMEOUT
        else ", although a program listens: a reject rule"
    )


def _open(port: int, nodes: list[str], how: str) -> Fix:
    steps = (
        f"on the control plane: iptables -I INPUT -p tcp --dport {port} -s <range of the nodes> -j ACCEPT",
        f"{nodes[0]}: nc -vz <address> {port}      # {how}: from which machines it works tells where it ends",
    )
    return Fix(f"let the nodes through to port {port}: host firewall, security group, routes", steps, "low")
