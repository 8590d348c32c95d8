"""The plain answers: what a step means, for every kind, where no fault of the catalogue fits.

So nothing is without words: the line, what it does, and the edit that takes it away.
"""

from __future__ import annotations

from podpath.checks.case import Case, Explained
from podpath.checks.registry import explanation
from podpath.checks.steps import mending
from podpath.checks.steps.plain_words import KINDS, Plain
from podpath.checks.steps.routes import route_text, taken
from podpath.checks.steps.verdicts import verdict_of
from podpath.model.refs import ObjectRef

PAGE = """{about}

## Why it breaks

{about} Nothing in podpath's catalogue fits closer: the step itself is shown, with the line that decides.

## See it by hand

    {look}

## Fix

{fix}

## Often confused with

A fault with a name: `podpath check` names it where its evidence is there.
"""
FIXED = "Change the line that is shown, or ask its author first: what is not Kubernetes' own may be there on purpose."
OPEN = "No single change in the collected state mends it: follow what the line says."


def _place(case: Case) -> str:
    if not case.netns.id:
        return "a host that is not in the bundle"
    if case.netns.is_host:
        return case.node
    return f"Pod {case.netns.id.split('/', 1)[1]} on {case.node}"


def _where(case: Case) -> str:
    verdict = verdict_of(case)
    if verdict is not None:
        owner = f" of {verdict.owner.name}" if verdict.owner is not None else ""
        if verdict.rule is None:
            return f"the policy of {verdict.place}{owner}"
        return f"a rule{owner} in {verdict.place}{verdict.comment}"
    route = taken(case)
    return route_text(route) if route is not None else case.step.text


def say(case: Case, plain: Plain) -> Explained:
    """The plain answer for a case."""
    words = {
        "place": _place(case),
        "text": case.step.text,
        "where": _where(case),
        "key": case.step.key or "the address",
    }
    edits = plain.mend(case)
    return Explained(
        plain.message.format(**words),
        plain.cause,
        edits,
        risk="not known: no fault of the catalogue fits, so look at the line first" if edits else "",
        subject=case.node_ref if case.netns.is_host else _pod(case),
    )


def _pod(case: Case) -> ObjectRef | None:
    parts = case.netns.id.split("/", 2)
    return ObjectRef("Pod", parts[1], parts[2]) if len(parts) == 3 else None


def _register(kind: str, plain: Plain) -> None:
    def explain(case: Case) -> Explained | None:
        return say(case, plain)

    fix = OPEN if plain.mend is mending.nothing else FIXED
    explain.__doc__ = PAGE.format(about=plain.about, look=plain.look, fix=fix)
    explanation(f"unnamed-{kind}", kinds=(kind,), specificity=0)(explain)


for _kind, _plain in KINDS.items():
    _register(_kind, _plain)
