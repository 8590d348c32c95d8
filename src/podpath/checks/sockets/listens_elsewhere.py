"""Explanations of a socket that is open, but not where the connection comes: loopback, another address or family."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps.sockets import is_loopback, listeners, server_pod, socket_text
from podpath.checks.steps.translation import asked_service
from podpath.model.addr import format_addr
from podpath.model.edit import Edit, Outside, PatchObject
from podpath.model.flow import protocol_name
from podpath.model.linux.sockets import Socket


def same_port(case: Case) -> list[Socket]:
    """The sockets on the very port, wherever they are bound."""
    packet = case.step.packet or case.trace.packet
    return [one for one in listeners(case.netns, packet.protocol) if one.port == packet.dport]


def named(case: Case) -> str:
    """Whose socket it is."""
    pod = server_pod(case)
    return f"Pod {pod.ref.short}" if pod is not None else case.node


@explanation("container-listens-loopback", kinds=("listener-elsewhere",), specificity=32)
def container_listens_loopback(case: Case) -> Explained | None:
    """The application listens on 127.0.0.1 only: inside its own Pod it works, from anywhere else it is refused.

    ## Why it breaks

    Many servers bind to localhost by default (development servers, databases, admin ports). `kubectl port-forward`
    and a curl inside the Pod work, since they come from inside; a Service, another Pod and a probe come to the
    Pod's own address, where nothing is open.

    ## See it by hand

        kubectl exec <pod> -- ss -lnt            # 127.0.0.1:<port>, no 0.0.0.0 or *

    ## Fix

    Let the application listen on 0.0.0.0 (or [::] for both families): `--host=0.0.0.0`, `bind-address`, `HOST`.

    ## Often confused with

    container-not-listening (nothing on the port), listens-other-address (another of the Pod's addresses).
    """
    found = same_port(case)
    if not found or not all(is_loopback(one) for one in found):
        return None
    return _bound(case, found[0], "on the loopback address only", "only the Pod itself reaches this socket")


@explanation("dualstack-family-mismatch", kinds=("listener-elsewhere", "no-listener"), specificity=33)
def dualstack_family_mismatch(case: Case) -> Explained | None:
    """The application listens with one address family, the connection comes with the other.

    ## Why it breaks

    A dual-stack Service has an address of each family, and sends each to the Pods' addresses of the same one. An
    application that binds 0.0.0.0 takes IPv4 only; one that binds [::] takes both, unless it asks for IPv6 alone
    (IPV6_V6ONLY, bindv6only).

    ## See it by hand

        kubectl exec <pod> -- ss -lnt            # 0.0.0.0:<port>, no [::]:<port>
        kubectl get service <name> -o jsonpath='{.spec.ipFamilies} {.spec.ipFamilyPolicy}'

    ## Fix

    Listen on [::]; or a Service of the family that the application has (`ipFamilyPolicy: SingleStack`).

    ## Often confused with

    container-not-listening: nothing on the port in either family.
    """
    packet = case.step.packet or case.trace.packet
    found = [one for one in same_port(case) if not is_loopback(one) and one.local in (None, packet.dst)]
    other = next((one for one in found if not (one.v4 if packet.v4 else one.v6)), None)
    if other is None or len(found) != sum(not (one.v4 if packet.v4 else one.v6) for one in found):
        return None
    wanted, has = ("IPv4", "IPv6") if packet.v4 else ("IPv6", "IPv4")
    asked, pod = asked_service(case), server_pod(case)
    edits: list[tuple[Edit, ...]] = [(Outside(f"let {named(case)} listen on [::] for both families"),)]
    if asked is not None:
        patch = f'{{"spec":{{"ipFamilyPolicy":"SingleStack","ipFamilies":["{has}"]}}}}'
        edits.append((PatchObject(asked[0].ref, patch, f"{has} only"),))
    return Explained(
        f"{named(case)} listens on port {packet.dport} with {has} only, and is asked with {wanted}",
        f"a socket of {has}",
        tuple(edits),
        f"let the application listen on [::], or give its Service {has} only",
        (),
        "low: who uses the other family's address loses it",
        subject=pod.ref if pod is not None else None,
        evidence=(other.origin, *((asked[0].origin,) if asked is not None else ())),
        evidence_first=True,
    )


@explanation("listens-other-address", kinds=("listener-elsewhere",), specificity=29)
def listens_other_address(case: Case) -> Explained | None:
    """The application listens on one address, and is asked at another.

    ## Why it breaks

    A socket that is bound to one address (or one device) takes nothing for the others: a hostNetwork Pod that binds
    the node's first address, an application that binds an address it looked up when it started, and that was
    another Pod's.

    ## See it by hand

        kubectl exec <pod> -- ss -lnt            # <address>:<port>
        kubectl get pod <pod> -o jsonpath='{.status.podIPs}'

    ## Fix

    Listen on all addresses, or on the Pod's own (`status.podIP` by the downward API).

    ## Often confused with

    container-listens-loopback (127.0.0.1), dualstack-family-mismatch (the other family).
    """
    found = same_port(case)
    if not found:
        return None
    return _bound(
        case, found[0], f"at {socket_text(found[0])} only", "bound to another address than the one asked"
    )


def _bound(case: Case, socket: Socket, where: str, cause: str) -> Explained:
    packet = case.step.packet or case.trace.packet
    pod = server_pod(case)
    port = f"{packet.dport}/{protocol_name(packet.protocol)}"
    any_address = "0.0.0.0" if packet.v4 else "[::]"
    return Explained(
        f"{named(case)} listens on {port} {where}, and is asked at {format_addr(packet.dst)}",
        cause,
        ((Outside(f"let {named(case)} listen on {any_address}:{packet.dport}"),),),
        f"let the application listen on {any_address} (its setting for host, listen or bind address)",
        (),
        "medium: what listens on all addresses can be reached by all that policies allow",
        subject=pod.ref if pod is not None else None,
        evidence=(socket.origin,),
    )
