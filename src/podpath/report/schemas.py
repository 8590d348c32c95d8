"""The published JSON Schemas of all outputs."""

from __future__ import annotations

from typing import Any

import msgspec

from podpath.report.json_check import JsonCheck
from podpath.report.json_flows import JsonFlowAnswer
from podpath.report.json_target import JsonTarget
from podpath.report.json_why import JsonWhy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OUTPUTS: dict[str, tuple[Any, str]] = {
    "check": (JsonCheck, "podpath check -o json"),
    "target": (JsonTarget, "podpath check TARGET -o json"),
    "why": (
        JsonWhy | list[JsonWhy],
        "podpath why -o json: one answer, or a list where the names mean several flows",
    ),
    "flows": (list[JsonFlowAnswer], "podpath why --flows FILE: answers in the order of the flows"),
}
"""What is printed, by the name of its schema."""


def schema_of(output: str) -> dict[str, object]:
    """The JSON Schema of an output."""
    kind, title = OUTPUTS[output]
    (root,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"podpath.{output}/v1", "title": title, **root, "$defs": components}
