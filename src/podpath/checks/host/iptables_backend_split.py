"""iptables-backend-split."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.checks.registry import Promised, state_check
from podpath.model.finding import Confidence, Finding, Fix, Severity
from podpath.model.network import Netns, Network
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef

KUBE = re.compile(r"KUBE-(?:SERVICES|SVC|NODEPORTS|POSTROUTING|FORWARD)")
OTHERS = re.compile(
    r"FLANNEL|CNI-|cali-|KUBE-KUBELET-CANARY|KUBE-IPTABLES-HINT|KUBE-ROUTER|WEAVE|CILIUM_|IP-MASQ"
)


@state_check("iptables-backend-split", severity=Severity.INFO)
def iptables_backend_split(network: Network, _promised: Promised) -> Iterator[Finding]:
    """kube-proxy and another component write to different back ends of iptables.

    ## Why it breaks

    It breaks nothing by itself: the kernel runs both sets of rules, and marks cross. It confuses people, since one
    command shows half of the rules, and a rule left in the other back end (a DROP policy, old chains) still acts.

    ## See it by hand

        iptables-legacy-save | grep -c KUBE; iptables-nft-save | grep -c KUBE; iptables -V

    ## Fix

    Nothing has to be done. To end up with one: update-alternatives on the host, images with iptables-wrappers, and a
    reboot to be rid of the old rules.

    ## Often confused with

    *legacy-table-drop-hidden*: a rule of the other back end drops packets. That is an error, found by the trace.
    """
    for netns in network.hosts:
        if len({table.backend for table in netns.tables if table.backend != "native"}) > 1:
            ours = _backend(netns, KUBE)
            for backend, origin in _backend(netns, OTHERS).items():
                if ours and backend not in ours:
                    yield _found(netns, backend, origin, next(iter(ours.items())))
                    break


def _backend(netns: Netns, pattern: re.Pattern[str]) -> dict[str, Origin]:
    """Back ends that hold chains of these names, with one of them each."""
    found: dict[str, Origin] = {}
    for table in netns.tables:
        if table.backend in ("nft", "legacy") and table.family == "ip" and table.backend not in found:
            chain = next(
                (
                    table.chains[name]
                    for name in table.chains
                    if pattern.match(name) and table.chains[name].rules
                ),
                None,
            )
            if chain is not None:
                found[table.backend] = table.chain_origin(chain)
    return found


def _found(netns: Netns, backend: str, origin: Origin, ours: tuple[str, Origin]) -> Finding:
    return Finding(
        code="iptables-backend-split",
        severity=Severity.INFO,
        subject=ObjectRef("Node", "", netns.node),
        message=(
            f"On {netns.node} kube-proxy writes its rules by iptables-{ours[0]}, another component by "
            f"iptables-{backend}"
        ),
        evidence=(ours[1], origin),
        cause="both are in force: look at both",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "none is needed; images and host with one back end make it easier to read",
            risk="medium: it needs a reboot",
        ),
    )
