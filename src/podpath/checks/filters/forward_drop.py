"""Explanations of a FORWARD chain of iptables that drops what no rule accepts: whose policy it is."""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.owners import CNIS, DOCKER, FLANNEL, UFW, Owner, owner_of
from podpath.checks.registry import explanation
from podpath.checks.steps.components import told
from podpath.checks.steps.ranges import pod_ranges
from podpath.checks.steps.rules import accept_address, jump_to, let_through, put
from podpath.checks.steps.verdicts import FILTERED, Verdict, accepts, chains_of, reachable, verdict_of
from podpath.checks.steps.words import listed
from podpath.model.edit import Edit, SetChainPolicy
from podpath.model.linux.netfilter import Chain
from podpath.model.origin import Origin

CAUSE = "what no rule accepts ends here"
JUMPS = {FLANNEL: "flanneld forward"}
"""The comments that owners write at their jumps."""
RISK = (
    "low for accepts of the Pods' range, medium for the policy ACCEPT, which lets the node route for everybody; "
    "lost at reboot, and when {who} writes its rules again"
)


def forward_policy(case: Case) -> Verdict | None:
    """The verdict, where it is the policy of an iptables FORWARD chain."""
    verdict = verdict_of(case)
    if verdict is None or verdict.rule is not None or verdict.hook != "forward":
        return None
    return verdict if verdict.table.backend != "native" and verdict.table.family in ("ip", "ip6") else None


def scoped_then_policy(case: Case, verdict: Verdict) -> tuple[tuple[Edit, ...], ...]:
    """Accepts for the Pods' range, both ways; then the policy itself."""
    policy = SetChainPolicy(case.netns.id, verdict.ident, verdict.base.name, "accept", "drop")
    scoped = let_through(verdict, pod_ranges(case.network, v4=case.trace.packet.v4))
    return (scoped, (policy,)) if scoped else ((policy,),)


def has_chains(verdict: Verdict, owner: Owner) -> Origin | None:
    """The line of a chain of that owner beside the policy."""
    found = (chain for chain in verdict.table.chains.values() if owner_of(verdict.ident, chain.name) == owner)
    chain = next(found, None)
    return None if chain is None else verdict.table.chain_origin(chain)


@explanation("cni-accept-not-jumped", kinds=FILTERED, specificity=40)
def cni_accept_not_jumped(case: Case) -> Explained | None:
    """FORWARD drops, and the CNI's own accept chain stands beside it without being called.

    ## Why it breaks

    A CNI plugin lets its Pods' packets through FORWARD in a chain of its own (`FLANNEL-FWD`, `CNI-FORWARD`,
    `cali-FORWARD`), which works only while a rule in FORWARD jumps to it. Whoever flushes FORWARD (`iptables -F
    FORWARD`, a firewall script, `iptables-restore` of an old file) takes the jump away and leaves the chain: it looks
    complete and does nothing. A policy DROP, or a last rule that drops, then ends all forwarded packets.

    ## See it by hand

        iptables -S FORWARD                 # the policy, and no jump to the CNI's chain
        iptables -S | grep -- -FWD          # the chain, with its accepts

    ## Fix

    Put the jump back (`iptables -A FORWARD -j FLANNEL-FWD`), or restart the CNI's Pod on that node: it writes it again.
    Then find who flushed the chain, or it comes back.

    ## Often confused with

    forward-policy-drop-docker (Docker's chains are there, the CNI has no accept chain at all),
    foreign-iptables-rule-pod-cidr (a rule, not the end of the chain, drops).
    """
    verdict = verdict_of(case)
    if (
        verdict is None
        or verdict.hook != "forward"
        or verdict.table.backend == "native"
        or verdict.owner is not None
    ):
        return None
    for table, chain in chains_of(case.netns, *CNIS, backend=verdict.table.backend):
        if table is not verdict.table or not _is_lost_accept(verdict, chain):
            continue
        owner = owner_of(verdict.ident, chain.name)
        if owner is None:
            continue
        jump = jump_to(verdict.base.name, chain.name, JUMPS.get(owner, ""))
        state = told(case.network, owner.component, case.node)
        lines = [table.origin(rule) for rule in chain.rules if accepts(rule)][:2]
        base = verdict.base.name
        ends = (
            f"{base}'s policy is DROP"
            if verdict.rule is None
            else f"a rule of {base}{verdict.comment} {verdict.how} the rest"
        )
        return Explained(
            f"{case.node} forwards nothing: {ends} and {owner.name}'s accept chain {chain.name} is not called",
            f"{CAUSE}; no rule of {verdict.base.name} calls {chain.name}",
            (
                (put(case.netns, table, verdict.base, jump, verdict.position),),
                *scoped_then_policy(case, verdict),
            ),
            f"call {owner.name}'s chain again",
            risk=f"low: restores {owner.name}'s own line, which {owner.name} writes itself when it starts",
            evidence=(table.chain_origin(chain), *lines, *state.evidence),
            reason=state.text,
        )
    return None


def _is_lost_accept(verdict: Verdict, chain: Chain) -> bool:
    """A chain that accepts, made for FORWARD, and that FORWARD never comes to."""
    made_for_it = chain.name.endswith(("FWD", "FORWARD"))
    return (
        made_for_it
        and any(map(accepts, chain.rules))
        and chain.name not in reachable(verdict.table, verdict.base.name)
    )


@explanation("forward-policy-drop-docker", kinds=("chain-policy-drop",))
def forward_policy_drop_docker(case: Case) -> Explained | None:
    """Docker set the policy of FORWARD to DROP, and nothing accepts Pod traffic.

    ## Why it breaks

    dockerd (1.13 and later) sets FORWARD to DROP when it is the one who switches `ip_forward` on, and accepts only
    its own containers. Pods' packets, which no rule accepts, end at the policy. It is often told as a DNS fault,
    since names are what fails first; in truth all forwarded traffic of the node ends, and with br_netfilter even
    that between Pods of one node.

    ## See it by hand

        iptables -S FORWARD | head -3       # -P FORWARD DROP, then the jumps to DOCKER-USER and others
        iptables -S | grep DOCKER-          # who was here

    Docker's version proves nothing, and neither does a policy counter of 0.

    ## Fix

    Accept the Pods' range, from it and to it (one direction is not enough). Current flannel and Weave write such
    accepts themselves. To keep it: rules in a unit that runs after docker.service, `"iptables": false` in
    /etc/docker/daemon.json where containers of Docker need no network of their own, or no Docker beside containerd.

    ## Often confused with

    cni-accept-not-jumped (the CNI's accepts are there, and not called), ufw-default-forward-deny (ufw's chains).
    """
    verdict = forward_policy(case)
    docker = has_chains(verdict, DOCKER) if verdict is not None else None
    if verdict is None or docker is None or has_chains(verdict, UFW) is not None:
        return None
    return Explained(
        f"{case.node} forwards nothing: Docker set {verdict.place} to DROP and no rule accepts Pod traffic",
        CAUSE,
        scoped_then_policy(case, verdict),
        risk=RISK.format(who="Docker"),
        evidence=(docker,),
    )


@explanation("ufw-default-forward-deny", kinds=FILTERED)
def ufw_default_forward_deny(case: Case) -> Explained | None:
    """A host firewall, ufw, denies all that is forwarded (`DEFAULT_FORWARD_POLICY="DROP"`, its default).

    ## Why it breaks

    `ufw enable` sets the policy of FORWARD to DROP (or rejects at the end of its chains) and knows nothing of Pods.
    It often shows only after a reboot: before it, kube-proxy's and the CNI's rules stood in front.

    ## See it by hand

        ufw status verbose                       # Default: deny (incoming), allow (outgoing), deny (routed)
        grep FORWARD_POLICY /etc/default/ufw

    ## Fix

    `ufw route allow from <Pod range>` and `ufw route allow to <Pod range>`: both stay over reboots. Less narrow:
    `DEFAULT_FORWARD_POLICY="ACCEPT"` in /etc/default/ufw and `ufw reload`. The node's own ports (kubelet 10250, the
    tunnel's UDP port) need rules of their own.

    ## Often confused with

    forward-policy-drop-docker (Docker's chains), foreign-nft-forward-drop (firewalld, or nftables of nobody's).
    """
    verdict = verdict_of(case)
    if verdict is None or verdict.hook != "forward" or verdict.table.backend == "native":
        return None
    line = has_chains(verdict, UFW)
    by_policy = verdict.rule is None and has_chains(verdict, DOCKER) is None
    if line is None or not (by_policy or verdict.owner == UFW):
        return None
    v4 = case.trace.packet.v4
    user = verdict.table.chains.get("ufw-user-forward" if v4 else "ufw6-user-forward")
    ranges = pod_ranges(case.network, v4=v4)
    allowed = tuple(
        put(case.netns, verdict.table, user, accept_address(verdict.table, user.name, side, one))
        for one in ranges
        for side in ("src", "dst")
        if user is not None and user.name in reachable(verdict.table, verdict.base.name)
    )
    edits: tuple[tuple[Edit, ...], ...] = scoped_then_policy(case, verdict)
    edits = edits if verdict.rule is None else edits[:1]
    return Explained(
        f"{case.node} forwards no Pod traffic: ufw denies whatever is forwarded",
        CAUSE if verdict.rule is None else f"ufw {verdict.how} what its rules do not allow",
        (allowed, *edits) if allowed else edits,
        "let ufw route the Pods' range: "
        + "; ".join(f"ufw route allow from {one}; ufw route allow to {one}" for one in ranges),
        risk="low; `ufw route allow` stays over reboots, a rule put in with iptables is lost at the next ufw reload",
        evidence=(line,),
    )


@explanation("forward-policy-drop", kinds=("chain-policy-drop",), specificity=20)
def forward_policy_drop(case: Case) -> Explained | None:
    """The policy of FORWARD is DROP, nothing accepts Pod traffic, and who set it is not known.

    ## Why it breaks

    What no rule of FORWARD accepts ends at its policy. Somebody set it to DROP: a hardening script, a saved rule set
    (`/etc/iptables/rules.v4`), or one of several firewalls whose chains stand there together.

    ## See it by hand

        iptables -S FORWARD | head -1
        iptables -S | grep -o '^-N [A-Za-z]*' | sort -u      # whose chains are there

    A policy counter of `[0:0]` proves nothing: chains made through nftables do not count their policy.

    ## Fix

    Accept the Pods' range, from it and to it; or `iptables -P FORWARD ACCEPT`, after asking why it was closed. Keep
    it where the policy comes from, or it returns.

    ## Often confused with

    forward-policy-drop-docker, ufw-default-forward-deny, legacy-table-drop-hidden: the same effect with a known author.
    """
    verdict = forward_policy(case)
    if verdict is None:
        return None
    beside = [
        name for name, owner in (("Docker", DOCKER), ("ufw", UFW)) if has_chains(verdict, owner) is not None
    ]
    who = f"; chains of {listed(beside)} stand there" if beside else ""
    return Explained(
        f"{case.node} forwards no Pod traffic: the policy of {verdict.place} is DROP and no rule accepts it{who}",
        CAUSE,
        scoped_then_policy(case, verdict),
        risk=RISK.format(who="its author"),
        evidence=tuple(_lines(verdict)),
    )


def _lines(verdict: Verdict) -> list[Origin]:
    found = (has_chains(verdict, owner) for owner in (DOCKER, UFW))
    return [line for line in found if line is not None]
