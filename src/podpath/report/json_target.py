"""``podpath check BUNDLE TARGET -o json``. Schema: ``docs/schema/target.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from podpath.diagnosis.target import ChainLink
from podpath.report.json_parts import JsonEvidence, clean, json_evidence


class JsonLink(msgspec.Struct, frozen=True):
    """One thing that has to be true; ``part`` tells links of several ports apart."""

    title: str
    part: str
    state: Literal["ok", "broken", "unknown", "as-designed", "skipped"]
    text: str
    evidence: list[JsonEvidence]


class JsonTarget(msgspec.Struct, frozen=True):
    """The chain of one thing."""

    schema: Literal["podpath.target/v1"]
    bundle: str
    target: str
    links: list[JsonLink]


def json_target(bundle: str, target: str, links: Sequence[ChainLink]) -> JsonTarget:
    """The chain as it is printed."""
    told = [
        JsonLink(
            link.title, link.part, link.state, clean(link.text), [json_evidence(one) for one in link.evidence]
        )
        for link in links
    ]
    return JsonTarget("podpath.target/v1", clean(bundle), clean(target), told)
