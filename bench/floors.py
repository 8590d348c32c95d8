"""What one core needs at the least for a job: the anchors that goals are ratios to."""

from __future__ import annotations

import bisect
from typing import Any

import msgspec


class _Ref(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    ownerReferences: list[_Ref] = []  # noqa: N815  the API's spelling


class _Port(msgspec.Struct, gc=False):
    containerPort: int  # noqa: N815
    name: str = ""
    protocol: str = "TCP"


class _Container(msgspec.Struct, gc=False):
    name: str
    ports: list[_Port] = []


class _Spec(msgspec.Struct, gc=False):
    nodeName: str = ""  # noqa: N815
    hostNetwork: bool = False  # noqa: N815
    containers: list[_Container] = []


class _IP(msgspec.Struct, gc=False):
    ip: str


class _Status(msgspec.Struct, gc=False):
    phase: str = ""
    podIP: str = ""  # noqa: N815
    hostIP: str = ""  # noqa: N815
    podIPs: list[_IP] = []  # noqa: N815


class _Pod(msgspec.Struct, gc=False):
    metadata: _Meta
    spec: _Spec
    status: _Status


class _List(msgspec.Struct, gc=False):
    items: list[_Pod]


def typed_pods(content: bytes) -> object:
    """Decode Pods into typed structs of the few fields that a network needs (L1)."""
    return msgspec.json.Decoder(_List).decode(content)


def newlines(content: bytes) -> int:
    """Look at every byte once, as memchr does (L3)."""
    return content.count(b"\n")


class _Rule(msgspec.Struct, gc=False):
    family: str
    table: str
    chain: str
    handle: int
    expr: msgspec.Raw


class _Item(msgspec.Struct, gc=False):
    rule: _Rule | None = None
    map: msgspec.Raw = msgspec.Raw(b"")
    chain: msgspec.Raw = msgspec.Raw(b"")
    set: msgspec.Raw = msgspec.Raw(b"")


class _Top(msgspec.Struct):
    nftables: list[_Item]


def raw_nft(content: bytes) -> object:
    """Decode an nft listing with the expressions left raw (L4)."""
    return msgspec.json.Decoder(_Top).decode(content)


HOOKS = (
    ("raw", "PREROUTING"),
    ("mangle", "PREROUTING"),
    ("nat", "PREROUTING"),
    ("mangle", "FORWARD"),
    ("filter", "FORWARD"),
    ("mangle", "POSTROUTING"),
    ("nat", "POSTROUTING"),
)


class BareTrace:
    """A path of two nodes and fourteen hooks in bare Python: an index on the big chain, bisection, dict hits (T1)."""

    def __init__(self, services: int) -> None:
        self.dispatch = {(0x0A600000 + i, 6, 80): f"KUBE-SVC-{i}" for i in range(services)}
        self.chains: dict[Any, list[tuple[int, int, int, str]]] = {
            ("filter", "FORWARD"): [(0, 0, 0, "KUBE-FORWARD"), (0, 0, 0, "CNI-FORWARD")],
            ("nat", "POSTROUTING"): [(0, 0, 0, "KUBE-POSTROUTING")],
        }
        for chain in ("KUBE-FORWARD", "CNI-FORWARD", "KUBE-POSTROUTING"):
            self.chains[chain] = [(0x0A800000 + k, 0xFFFFFFFF, 0, "RETURN") for k in range(8)]
        self.dnat = {f"KUBE-SVC-{i}": (0x0A800000 + i * 4, 8080) for i in range(services)}
        self.starts = [0] + [0x0A800000 + (i << 8) for i in range(5000)]

    def run(self, src: int, dst: int, port: int) -> list[tuple[Any, ...]]:
        hops: list[tuple[Any, ...]] = []
        for node in (0, 1):
            for table, hook in HOOKS:
                if table == "nat" and hook == "PREROUTING" and node == 0:
                    target = self.dispatch.get((dst, 6, port))
                    if target:
                        dst, port = self.dnat[target]
                        hops.append(("dnat", node, target, dst, port))
                todo = list(self.chains.get((table, hook), ()))
                while todo:
                    addr, mask, _, verdict = todo.pop(0)
                    if src & mask != addr & mask:
                        continue
                    below = self.chains.get(verdict)
                    if below:
                        hops.append(("jump", node, table, verdict))
                        todo = list(below) + todo
            hops.append(("route", node, bisect.bisect_right(self.starts, dst) - 1))
        return hops
