"""Fixes of objects: patches as kubectl takes them, and the evidence that goes with them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import msgspec

from podpath.model.edit import PatchObject
from podpath.model.finding import Fix
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.meta import KubeObject
from podpath.model.kube.selector import LabelSelector
from podpath.model.origin import Origin
from podpath.model.refs import ObjectRef


def as_json(body: object) -> str:
    """Compact JSON."""
    return msgspec.json.encode(body).decode()


def named(ref: ObjectRef) -> str:
    """``-n demo service web``: what stands behind a verb of kubectl."""
    where = f"-n {shlex.quote(ref.namespace)} " if ref.namespace else ""
    return f"{where}{ref.kind.lower()} {shlex.quote(ref.name)}"


def kubectl(verb: str, ref: ObjectRef, *rest: str) -> str:
    """A command of kubectl about an object; the last words as they are."""
    where = f"-n {shlex.quote(ref.namespace)} " if ref.namespace else ""
    words = " ".join(rest)
    return f"kubectl {where}{verb} {ref.kind.lower()} {shlex.quote(ref.name)} {words}".rstrip()


def merge_patch(ref: ObjectRef, body: Mapping[str, object]) -> str:
    """The command of a merge patch."""
    return kubectl("patch", ref, "--type merge -p", shlex.quote(as_json(body)))


def json_patch(ref: ObjectRef, *operations: Mapping[str, object]) -> str:
    """The command of a JSON patch: for members of lists, which a merge patch would replace as a whole."""
    return kubectl("patch", ref, "--type json -p", shlex.quote(as_json(list(operations))))


def apply_command(*objects: Mapping[str, object]) -> str:
    """``kubectl apply`` of whole objects; JSON is YAML."""
    listed = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return f"kubectl apply -f - <<'END'\n{msgspec.json.format(as_json(listed), indent=2)}\nEND"


def patch_fix(
    summary: str, ref: ObjectRef, body: Mapping[str, object], risk: str, *, then: Sequence[str] = ()
) -> Fix:
    """A fix that is one merge patch, and what is to follow it."""
    edit = PatchObject(ref, as_json(body), summary)
    return Fix(summary, (merge_patch(ref, body), *then), risk, (edit,))


def selector_body(selector: LabelSelector) -> dict[str, object]:
    """A selector as the API writes it."""
    body: dict[str, object] = {}
    if selector.match_labels:
        body["matchLabels"] = dict(selector.match_labels)
    if selector.match_expressions:
        body["matchExpressions"] = [
            {"key": one.key, "operator": one.operator, **({"values": list(one.values)} if one.values else {})}
            for one in selector.match_expressions
        ]
    return body


def stated(cluster: Cluster, obj: KubeObject, *path: str, text: str = "") -> Origin:
    """The line of a field, with a text that people can read."""
    origin = cluster.field_origin(obj, *path)
    return Origin(origin.file, origin.line, text) if text else origin


def not_listed(cluster: Cluster, plural: str, text: str) -> Origin:
    """A whole list as evidence that something is not in it."""
    known: Mapping[str, Sequence[KubeObject]] = {
        "services": tuple(cluster.services.values())[:1],
        "pods": tuple(cluster.pods.values())[:1],
        "nodes": tuple(cluster.nodes.values())[:1],
    }
    file = next((obj.origin.file for obj in known.get(plural, ())), f"api/{plural}.json")
    return Origin(file, 0, text)
