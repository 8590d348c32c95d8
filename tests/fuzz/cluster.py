"""What is fuzzed as a whole: lists of API objects, archives, a small bundle from its files to its diagnosis."""

from __future__ import annotations

import dataclasses
import gzip
import json
import lzma
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from podpath.assemble.network import build_network
from podpath.bundle import BundleError, open_bundle
from podpath.bundle.manifest import decode, encode
from podpath.bundle.redaction import redact
from podpath.cli.checking import text_of, titles
from podpath.cli.errors import UsageError
from podpath.cli.flows import answered_flows, read_flows
from podpath.diagnosis.run import diagnose
from podpath.fixes.fill import filled
from podpath.model.diagnosis import Diagnosis
from podpath.model.finding import Severity
from podpath.model.kube.cluster import Cluster
from podpath.model.kube.meta import KubeObject
from podpath.model.network import Network
from podpath.parse.kube_lists import parse_cluster
from podpath.report.json_check import json_check
from podpath.report.json_parts import encode as encode_report
from podpath.report.style import Style
from tests.bundle.archives import tar
from tests.scenarios.bundles import packed

MARK = b"=== "
"""Begins the line that names a file, where an input holds several."""


def sections(data: bytes) -> dict[str, bytes]:
    """Files by path, from one input."""
    parts = [part.partition(b"\n") for part in data.split(MARK)]
    return {name.decode("utf-8", "replace").strip(): content for name, _, content in parts if name.strip()}


def joined(files: Mapping[str, bytes]) -> bytes:
    """One input of files by path."""
    return b"".join(MARK + path.encode() + b"\n" + content for path, content in files.items())


# --- objects of the API -----------------------------------------------------------------------------------------------

PATHS = (("spec",), ("metadata", "labels"), ("spec", "ports", "0"), ("metadata", "name"))


def read_objects(data: bytes) -> None:
    """Every item of every list is an object of the cluster or noted, and knows its place."""
    files = {path: content for path, content in sections(data).items() if path.startswith("api/")}
    cluster, lost = parse_cluster(files)
    objects = list(every_object(cluster))
    keys: list[object] = []
    missing = 0
    for path, content in files.items():
        if path == "api/version.json" or not path.endswith(".json"):
            continue
        of_file = [one for one in lost if one.origin.file == path]
        if any("not a JSON list" in one.reason for one in of_file):
            continue
        items = _items(content)
        found = {one.index for one in objects if one.place.file == path}
        missing += len(items) - len(found) - len(of_file)
        keys += map(_key, items)
    twice = len(keys) - len(set(keys))
    assert missing <= twice, f"{missing} objects are neither kept nor noted"
    for one in objects[:20]:
        for field in PATHS:
            origin = cluster.field_origin(one, *field)
            content = files[origin.file]
            deep = (
                content.count(b"[") + content.count(b"{") > 500
            )  # what was read may be too deep to be found again
            assert deep or 0 < origin.line <= content.count(b"\n") + 1
            str(origin)


def every_object(cluster: Cluster) -> Iterator[KubeObject]:
    """All objects that a cluster holds."""
    for field in dataclasses.fields(cluster):
        value = getattr(cluster, field.name)
        for one in (
            value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
        ):
            yield from (one,) if isinstance(one, KubeObject) else one


def _items(content: bytes) -> list[bytes]:
    """The items of a list, or the one object. Where nobody reads a key or value it may hold bytes that are not UTF-8."""
    data = content.decode(errors="replace").encode()
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    if "items" not in fields:
        return [data]
    return [bytes(one) for one in msgspec.json.decode(fields["items"], type=list[msgspec.Raw] | None) or ()]


def _key(item: bytes) -> object:
    """What tells an object from others of its kind; one that has no such thing is like no other."""
    try:
        meta: Any = msgspec.json.decode(item)["metadata"]
        return str(meta.get("namespace")), str(meta["name"])
    except (msgspec.DecodeError, RecursionError, TypeError, KeyError, AttributeError):
        return object()


# --- archives ---------------------------------------------------------------------------------------------------------

PACKERS = (bytes, gzip.compress, lzma.compress, zstandard.ZstdCompressor(level=1).compress, bytes, bytes)
"""How the rest of an input is packed, by its first byte."""


def read_archive(data: bytes) -> None:
    """An archive gives files or a ``BundleError``, of one printable line; each file that it names can be read."""
    content = PACKERS[data[0] % len(PACKERS)](data[1:]) if data else b""
    with tempfile.TemporaryDirectory(prefix="podpath-fuzz-") as folder:
        place = Path(folder) / "x.tar"
        place.write_bytes(content)
        try:
            with open_bundle(place) as bundle:
                names = bundle.files()
                assert list(names) == sorted(set(names))
                for path in names:
                    assert bundle.get(path) == bundle.read(path)
                for node in bundle.nodes():
                    bundle.node_sources(node)
                    for pod in bundle.pods(node):
                        bundle.pod_sources(node, pod)
                bundle.api_kinds()
        except BundleError as error:
            assert str(error).isprintable(), str(error)  # noqa: PT017 - that it is raised is allowed, not demanded


def archive_samples() -> list[bytes]:
    """Small archives in several forms."""
    files = {
        "nodes/n1/ss": b"Netid State\n",
        "nodes/n1/pods/a.b/sysctl": b"net.ipv4.ip_forward = 1\n",
        "api/pods.json": b'{"items":[]}',
    }
    manifest = {
        "schema": "podpath.bundle/v1",
        "created": "2026-11-25T01:46:31Z",
        "sources": {"nodes/n1/ss": {"asked": "ss", "exit_status": 1}},
    }
    with_manifest = {**files, "manifest.json": json.dumps(manifest).encode()}
    long_names = {f"x/{path}{'y' * 120}": content for path, content in files.items()}
    forms = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    tars = [tar(some, form=form) for form in forms for some in (files, with_manifest)]
    tars.append(tar(long_names))
    packed_ones = [PACKERS[n](tars[1]) for n in (1, 2, 3)]
    return [bytes([number % 4]) + tar for number, tar in enumerate(tars)] + [
        b"\x04" + one for one in packed_ones
    ]


def read_manifest(data: bytes) -> None:
    """A manifest is one, and the same when it was written and read again; or a ``BundleError``."""
    try:
        manifest = decode(data)
    except BundleError:
        return
    assert decode(encode(manifest)) == manifest


# --- redaction --------------------------------------------------------------------------------------------------------

REDACTED = (
    "nodes/n1/logs", "nodes/n1/kubelet-config.json", "nodes/n1/iptables-save", "nodes/n1/wg-show", "nodes/n1/xfrm-state", "nodes/n1/sysctl",
    "nodes/n1/unheard-of", "nodes/n1/pods/a.b/logs", "observations.json", "api/pods.json", "api/configmaps.json", "api/secrets.json",
    "nodes/n1/cni-net.d/10-x.conf",
)  # fmt: skip
"""The path of an input, by its first byte."""


def redact_all(data: bytes) -> None:
    """Redaction never raises, is done once, keeps lines, and says whether it removed something."""
    path = REDACTED[data[0] % len(REDACTED)] if data else REDACTED[0]
    content = data[1:]
    clean, removed = redact(path, content)
    assert redact(path, clean) == (clean, [])
    if not path.startswith("api/"):
        assert clean.count(b"\n") == content.count(b"\n")
        assert bool(removed) == (clean != content)
    elif removed:
        assert clean != content


# --- the whole --------------------------------------------------------------------------------------------------------

SYSCTLS = (b"net.ipv4.ip_", b"net.ipv4.conf.all.", b"net.bridge", b"net.netfilter.nf_conntrack_m")
KEPT_PODS = ("ops.client", "shop.api-")
KEPT = ("client", "api", "kubernetes", "n1", "n2", "shop", "ops", "kube-system", "default")
"""Names of the objects that are kept, or their beginnings up to a dash."""
NAMES_NOT_KEPT = ("kube-dns", "api-headless")
NOT_KEPT = ("/again/", "truth.json", "clusterrole", "role", "leases", "serviceaccounts", "/n3/")
IPTABLES, NFTABLES, POLICIES = "dual-healthy", "nft-foreign-nft-drop", "nft-kube-router-healthy"
"""Services in iptables, both families; Services in nftables and a fault; policies in iptables and IP sets."""


@lru_cache(maxsize=3)
def small_bundle(name: str = IPTABLES) -> dict[str, bytes]:
    """Two nodes of a real cluster with few Pods, and its API objects."""
    files: dict[str, bytes] = {}
    for path, content in packed(name):
        parts = path.split("/")
        pod = parts[3] if len(parts) > 4 and parts[2] == "pods" else ""
        if any(word in path for word in NOT_KEPT) or (pod and not pod.startswith(KEPT_PODS)):
            continue
        if name == IPTABLES and "nft-list-ruleset" in path:
            continue
        if parts[-1] == "sysctl":
            lines = content.splitlines(keepends=True)
            files[path] = b"".join(line for line in lines if line.startswith(SYSCTLS))
        else:
            files[path] = _few_objects(content) if path.startswith("api/") else content
    return files


def _few_objects(content: bytes) -> bytes:
    listed = json.loads(content)
    if "items" not in listed:
        return content
    found = [
        one
        for one in listed["items"]
        if one["metadata"]["name"].partition("-")[0] in KEPT
        or one["metadata"]["name"] in KEPT
        or one["kind"] == "NetworkPolicy"
    ]
    listed["items"] = [
        one
        for one in found
        if one.get("spec", {}).get("nodeName") != "n3" and one["metadata"]["name"] not in NAMES_NOT_KEPT
    ][:6]
    for one in listed["items"]:
        if one["kind"] == "Service":
            del one["spec"]["ports"][1:]
    return json.dumps(listed, indent=1).encode()


def small_network(
    changes: Mapping[str, bytes] | None = None, name: str = IPTABLES, *, large: bool = False
) -> Network:
    """The network of a small bundle, some of whose files are others or (empty) are missing."""
    files = {path: content for path, content in {**small_bundle(name), **(changes or {})}.items() if content}
    return build_network("fuzz", files, large=large)


def examine_bundle(name: str, data: bytes) -> None:
    """Any change to a bundle gives a network and a diagnosis, in which no check crashed, and both reports of it."""
    network = small_network(sections(data), name)
    assert all(one.reason for one in network.unrecognized)
    diagnosis = filled(diagnose(network))
    if diagnosis.crashed:
        raise CheckCrashedError("\n".join(f"{one.code}: {one.traceback}" for one in diagnosis.crashed))
    encode_report(json_check(diagnosis, titles(), Severity.INFO))
    text_of(network, diagnosis, Style(), place="", lowest=Severity.INFO)


def take_both_roads(data: bytes) -> None:
    """A bundle that is handled as a large one gets the diagnosis that it gets when it is read whole."""
    name = (IPTABLES, NFTABLES, POLICIES)[len(data) % 3]
    changes = sections(data)
    whole = diagnose(small_network(changes, name))
    in_parts = diagnose(small_network(changes, name, large=True))
    if in_parts.crashed:
        raise CheckCrashedError("\n".join(f"{one.code}: {one.traceback}" for one in in_parts.crashed))
    assert _summary(in_parts) == _summary(whole)


def _summary(diagnosis: Diagnosis) -> object:
    findings = sorted((one.code, str(one.subject), one.broken) for one in diagnosis.findings)
    return diagnosis.walked, diagnosis.broken, len(diagnosis.undecided), findings


class CheckCrashedError(AssertionError):
    """A check of the diagnosis raised something."""


def bundle_samples(name: str) -> list[bytes]:
    """Each file of a small bundle on its own, one of each name, and none."""
    files = small_bundle(name)
    by_name = {path.rpartition("/")[2]: path for path in reversed(files)}
    return [joined({path: files[path]}) for path in by_name.values() if files[path]] + [b""]


@lru_cache(maxsize=1)
def unchanged_network() -> Network:
    """The small bundle as it was collected."""
    return small_network()


def ask_flows(data: bytes) -> None:
    """A file of questions is answered, or is a ``UsageError``."""
    with tempfile.TemporaryDirectory(prefix="podpath-fuzz-") as folder:
        place = Path(folder) / "flows.json"
        place.write_bytes(data)
        try:
            questions = read_flows(str(place))
        except UsageError:
            return
    answers = answered_flows(unchanged_network(), questions[:4])
    assert len(answers) == len(questions[:4])


def flow_samples() -> list[bytes]:
    """Questions of each kind."""
    pod = {"kind": "pod", "pod": "ops/client"}
    sources = [pod, {"kind": "node", "node": "n1"}, {"kind": "outside", "ip": "198.51.100.1"}]
    targets = [
        {"kind": "pod", "ip": "10.244.0.3", "port": 8080, "proto": "TCP"},
        {"kind": "clusterIP", "ip": "10.96.0.10", "port": 53, "proto": "UDP"},
        {"kind": "nodePort", "ip": "172.30.0.11", "port": 30080, "bytes": 100000},
        {"kind": "external", "ip": "2001:db8::1", "port": 443, "proto": "SCTP"},
        {"ip": "10.96.0.1", "proto": "ICMP"},
        {"kind": "dns", "name": "kubernetes.default"},
    ]
    return [json.dumps([{"src": source, "dst": target}]).encode() for source in sources for target in targets]
