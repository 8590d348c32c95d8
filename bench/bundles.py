"""Whole made-up bundles: nodes with a bridge, host-gw routes and kube-proxy's rules, Pods with namespaces, Services."""

from __future__ import annotations

import json
import random
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from typing import IO, Any

from bench import objects
from bench import printed as out
from bench.clusters import PODS_A_NODE, hashed, pod, pod_ip, service_ip
from bench.nft_proxy import NftProxy
from bench.rules import API_IP, iptables_dump, with_own

LISTS = (
    "pods",
    "services",
    "nodes",
    "namespaces",
    "networkpolicies.networking.k8s.io",
    "endpointslices.discovery.k8s.io",
)
VETHS = tuple(f"veth{hashed('veth', at)[:8].lower()}" for at in range(PODS_A_NODE))
CONNECTIONS = 1_000
"""Tracked on each node."""
ROUTER = "172.31.255.254"


class MadeBundle(Mapping[str, bytes]):
    """A bundle whose files are made when they are read: as large as one likes, in little memory.

    Each node has 30 Pods; each Service has some of all Pods as endpoints. A Pod's number is its address. ``distinct``
    gives every node a dump of rules that is like no other: its own counters on each rule, chains of its own Pods.
    ``nft``: kube-proxy is in its nftables mode.
    """

    def __init__(
        self,
        nodes: int,
        services: int,
        endpoints: int = 6,
        *,
        broken_node: int | None = None,
        distinct: bool = False,
        nft: bool = False,
    ) -> None:
        self.nodes, self.services, self.endpoints = nodes, services, endpoints
        self.pods = nodes * PODS_A_NODE
        self.broken = broken_node
        self.distinct = distinct
        rng = random.Random(7)
        self.backends = [
            sorted(rng.sample(range(self.pods), min(endpoints, self.pods))) for _ in range(services)
        ]
        self._member: dict[int, list[int]] = {}
        for service, chosen in enumerate(self.backends):
            for one in chosen:
                self._member.setdefault(one, []).append(service)
        addresses = [[self.address(number) for number in chosen] for chosen in self.backends]
        self._nft = NftProxy(addresses, self.host(0)) if nft else None
        self._rules = iptables_dump(
            0 if nft else services, endpoints, addresses=addresses, filter_table=True, api=self.host(0)
        ).encode()
        self._routes = [
            json.dumps(
                out.route(f"{self.subnet(node)}.0/24", "eth0", via=self.host(node)), separators=(",", ":")
            )
            for node in range(nodes)
        ]
        rng = random.Random(1)
        metas = (pod(number, rng)["metadata"] for number in range(self.pods))
        self._names = [f"{meta['namespace']}.{meta['name']}" for meta in metas]
        self._files = dict.fromkeys(self._paths())
        self._lists: dict[str, IO[bytes]] = {}

    def address(self, number: int) -> str:
        """Pods of a node have addresses of its /24."""
        node, at = divmod(number, PODS_A_NODE)
        return pod_ip(node * 256 + 2 + at)

    def subnet(self, node: int) -> str:
        """The first three numbers of a node's Pod addresses."""
        return pod_ip(node * 256).rpartition(".")[0]

    def host(self, node: int) -> str:
        """A node's own address."""
        return f"172.16.{node >> 8}.{node & 255}" if node & 255 else f"172.16.{(node >> 8) + 100}.1"

    def folder(self, number: int) -> str:
        """Where a Pod's files are."""
        return f"nodes/node-{number // PODS_A_NODE}/pods/{self._names[number]}"

    def _paths(self) -> Iterator[str]:
        yield from (f"api/{kind}.json" for kind in LISTS)
        for node in range(self.nodes):
            yield from (f"nodes/node-{node}/{name}" for name in out.NODE_FILES)
            for number in range(node * PODS_A_NODE, (node + 1) * PODS_A_NODE):
                folder = self.folder(number)
                yield from (f"{folder}/{name}" for name in out.POD_FILES)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __getitem__(self, path: str) -> bytes:
        if path not in self._files:
            raise KeyError(path)
        area, _, rest = path.partition("/")
        if area == "api":
            return self._list(rest)
        parts = rest.split("/")
        node = int(parts[0].removeprefix("node-"))
        if parts[1] == "pods":
            return self._pod_file(int(parts[2].rpartition("-")[2], 16), parts[3])
        return self._node_file(node, parts[1])

    # -- objects -----------------------------------------------------------------------------------------------------

    def _list(self, name: str) -> bytes:
        """A list as the API server sends it, written once: it is asked for again when a line of it is shown."""
        file = self._lists.get(name)
        if file is None:
            file = self._lists[name] = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object
            weakref.finalize(self, file.close)
            file.write(b'{"apiVersion":"v1","kind":"List","items":[\n')
            for at, one in enumerate(self._objects(name)):
                file.write(b",\n" * bool(at) + json.dumps(one, separators=(",", ":")).encode())
            file.write(b"\n]}\n")
        file.seek(0)
        return file.read()

    def _objects(self, name: str) -> Iterator[dict[str, Any]]:
        match name.partition(".")[0]:
            case "pods":
                rng = random.Random(1)
                yield from (self._pod(number, rng) for number in range(self.pods))
            case "services":
                yield objects.service("default", "kubernetes", API_IP, 443, 6443)
                for number in range(self.services):
                    yield objects.service(f"ns-{number % 200}", f"svc-{number}", service_ip(number), 80, 8080)
            case "endpointslices":
                yield objects.endpoint_slice("default", "kubernetes", "https", 6443, [(self.host(0), "")])
                for number, chosen in enumerate(self.backends):
                    places = [(self.address(p), f"node-{p // PODS_A_NODE}") for p in chosen]
                    yield objects.endpoint_slice(f"ns-{number % 200}", f"svc-{number}", "http", 8080, places)
            case "nodes":
                yield from (
                    objects.node(f"node-{n}", self.host(n), f"{self.subnet(n)}.0/24")
                    for n in range(self.nodes)
                )

    def _pod(self, number: int, rng: random.Random) -> dict[str, Any]:
        one, addr = pod(number, rng), self.address(number)
        one["status"] |= {"podIP": addr, "podIPs": [{"ip": addr}], "hostIP": self.host(number // PODS_A_NODE)}
        one["metadata"]["labels"] |= {f"in-{service}": "yes" for service in self._member.get(number, ())}
        return one

    # -- nodes and Pods ----------------------------------------------------------------------------------------------

    def _node_file(self, node: int, name: str) -> bytes:
        subnet, host = self.subnet(node), self.host(node)
        macs = [out.mac(2, 0, node), out.mac(6, 0, node)]
        match name:
            case "iptables-nft-save":
                return self._dump(node)
            case "sysctl":
                return out.sysctl(["lo", "eth0", "cbr0", *VETHS], forwards=True, own=node).encode()
            case "ss":
                ports = {10250: "kubelet", 10256: "kube-proxy"} | (
                    {6443: "kube-apiserver"} if node == 0 else {}
                )
                talks = ((f"{host}:{40000 + at}", f"{self.host(0)}:6443") for at in range(40))
                return out.sockets(ports, talks).encode()
            case "conntrack":
                return out.tracked(self._tracked(node)).encode()
            case "nft-list-ruleset" | "nft-list-ruleset.json":
                return self._ruleset(node)[name.endswith(".json")]
            case "ip-link.json":
                return out.printed(self._links(node))
            case "bridge-link.json":
                return out.printed(
                    {"ifname": veth, "state": "forwarding", "hairpin": True, "master": "cbr0"}
                    for veth in VETHS
                )
            case "ip-addr.json":
                ends = [
                    ("lo", 1, "127.0.0.1", 8, ""),
                    ("eth0", 2, host, 12, macs[0]),
                    ("cbr0", 3, f"{subnet}.1", 24, macs[1]),
                ]
                return out.printed(out.addresses(*end) for end in ends)
            case "ip-route.json":
                own = [out.route("default", "eth0", via=ROUTER), *out.own_routes("eth0", host, 12)]
                own += [*out.own_routes("cbr0", f"{subnet}.1", 24), *out.LOOPBACK_ROUTES]
                others = [*self._routes[:node], *self._routes[node + 1 :]]
                return out.printed(own)[:-2] + "".join(f",{one}" for one in others).encode() + b"]\n"
            case "ip-neigh.json":
                known = (self.host(other) for other in range(max(node - 5, 0), node))
                return out.printed(
                    {"dst": addr, "dev": "eth0", "lladdr": out.mac(2, 1, node), "state": ["STALE"]}
                    for addr in known
                )
            case "ip-rule.json":
                return out.printed(out.RULES)
            case "bridge-fdb.json":
                return b"[]\n"
        return b""

    def _links(self, node: int) -> Iterator[dict[str, Any]]:
        yield out.link("lo", 1, "00:00:00:00:00:00")
        yield out.link("eth0", 2, out.mac(2, 0, node))
        yield out.link("cbr0", 3, out.mac(6, 0, node), kind="bridge")
        for at, veth in enumerate(VETHS):
            yield out.link(veth, 10 + at, out.mac(10, at, node), kind="veth", master="cbr0", peer=2)

    def _ruleset(self, node: int) -> tuple[bytes, bytes]:
        """What nft lists, and the same as JSON."""
        if self._nft is None:
            return b"", b'{"nftables": []}'
        pods = range(node * PODS_A_NODE, (node + 1) * PODS_A_NODE)
        return self._nft.dump(node, [self.address(number) for number in pods if number in self._member])

    def _dump(self, node: int) -> bytes:
        rules = self._rules
        if node == self.broken:
            rules = rules.replace(b":FORWARD ACCEPT", b":FORWARD DROP").replace(
                b"-A FORWARD -j CNI-FORWARD\n", b""
            )
        if not self.distinct:
            return rules
        pods = [self.address(number) for number in range(node * PODS_A_NODE, (node + 1) * PODS_A_NODE)]
        return with_own(rules, pods, node)

    def _tracked(self, node: int) -> Iterator[tuple[str, str, str]]:
        rng = random.Random(node)
        for _ in range(CONNECTIONS if self.services else 0):
            service = rng.randrange(self.services)
            client = self.address(node * PODS_A_NODE + rng.randrange(PODS_A_NODE))
            yield client, service_ip(service), self.address(rng.choice(self.backends[service]))

    def _pod_file(self, number: int, name: str) -> bytes:
        node, at = divmod(number, PODS_A_NODE)
        addr, mac = self.address(number), out.mac(14, at, node)
        match name:
            case "ip-link.json":
                eth0 = out.link("eth0", 2, mac, kind="veth", peer=10 + at)
                return out.printed([out.link("lo", 1, "00:00:00:00:00:00"), eth0])
            case "ip-addr.json":
                return out.printed(
                    [out.addresses("lo", 1, "127.0.0.1", 8), out.addresses("eth0", 2, addr, 24, mac)]
                )
            case "ip-route.json":
                default = out.route("default", "eth0", via=f"{self.subnet(node)}.1")
                return out.printed([default, *out.own_routes("eth0", addr, 24), *out.LOOPBACK_ROUTES])
            case "ip-neigh.json":
                gateway = {
                    "dst": f"{self.subnet(node)}.1",
                    "dev": "eth0",
                    "lladdr": out.mac(6, 0, node),
                    "state": ["REACHABLE"],
                }
                return out.printed([gateway])
            case "ip-rule.json":
                return out.printed(out.RULES)
            case "sysctl":
                return out.sysctl(["lo", "eth0"], forwards=False, own=number).encode()
            case "ss":
                return out.sockets({8080: f"app-{number // 10}"}).encode()
        return b""
