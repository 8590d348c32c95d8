"""Whole made-up bundles: nodes with a bridge, host-gw routes and kube-proxy's rules, Pods with namespaces, Services."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from bench import printed as out
from bench.clusters import API_IP, PODS_A_NODE, hashed, iptables_dump, pod, pod_ip, service_ip

LISTS = ("pods", "services", "nodes", "namespaces", "networkpolicies.networking.k8s.io", "endpointslices.discovery.k8s.io")
NODE_FILES = (
    *("bridge-fdb.json", "bridge-link.json", "conntrack", "ip-addr.json", "ip-link.json", "ip-neigh.json", "ip-route.json"),
    *("ip-rule.json", "ip6tables-nft-save", "ipset-save", "iptables-nft-save", "nft-list-ruleset.json", "ss", "sysctl"),
)
POD_FILES = ("ip-addr.json", "ip-link.json", "ip-neigh.json", "ip-route.json", "ip-rule.json", "iptables-save", "ss", "sysctl")
VETHS = tuple(f"veth{hashed('veth', at)[:8].lower()}" for at in range(PODS_A_NODE))
CONNECTIONS = 1_000
"""Tracked on each node."""
ROUTER = "172.31.255.254"


class MadeBundle(Mapping[str, bytes]):
    """A bundle whose files are made when they are read: as large as one likes, in little memory.

    Each node has 30 Pods; each Service has some of all Pods as endpoints. A Pod's number is its address. ``distinct``
    gives every node a dump of rules that is like no other: its own counters on each rule, chains of its own Pods.
    """

    def __init__(
        self,
        nodes: int,
        services: int,
        endpoints: int = 6,
        *,
        broken_node: int | None = None,
        distinct: bool = False,
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
        self._rules = iptables_dump(
            services, endpoints, addresses=addresses, filter_table=True, api=self.host(0)
        ).encode()
        self._routes = [
            json.dumps(out.route(f"{self.subnet(node)}.0/24", "eth0", via=self.host(node)), separators=(",", ":"))
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
            yield from (f"nodes/node-{node}/{name}" for name in NODE_FILES)
            for number in range(node * PODS_A_NODE, (node + 1) * PODS_A_NODE):
                folder = self.folder(number)
                yield from (f"{folder}/{name}" for name in POD_FILES)

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
                yield _service("default", "kubernetes", API_IP, 443, 6443)
                for number in range(self.services):
                    yield _service(f"ns-{number % 200}", f"svc-{number}", service_ip(number), 80, 8080)
            case "endpointslices":
                yield _slice("default", "kubernetes", "https", 6443, [(self.host(0), "")])
                for number, chosen in enumerate(self.backends):
                    places = [(self.address(p), f"node-{p // PODS_A_NODE}") for p in chosen]
                    yield _slice(f"ns-{number % 200}", f"svc-{number}", "http", 8080, places)
            case "nodes":
                yield from (self._node(number) for number in range(self.nodes))

    def _pod(self, number: int, rng: random.Random) -> dict[str, Any]:
        one, addr = pod(number, rng), self.address(number)
        one["status"] |= {"podIP": addr, "podIPs": [{"ip": addr}], "hostIP": self.host(number // PODS_A_NODE)}
        one["metadata"]["labels"] |= {f"in-{service}": "yes" for service in self._member.get(number, ())}
        return one

    def _node(self, number: int) -> dict[str, Any]:
        cidr = f"{self.subnet(number)}.0/24"
        addresses = [{"type": "InternalIP", "address": self.host(number)}]
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"node-{number}"},
            "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
            "status": {"addresses": addresses, "conditions": [{"type": "Ready", "status": "True"}]},
        }

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
                ports = {10250: "kubelet", 10256: "kube-proxy"} | ({6443: "kube-apiserver"} if node == 0 else {})
                talks = ((f"{host}:{40000 + at}", f"{self.host(0)}:6443") for at in range(40))
                return out.sockets(ports, talks).encode()
            case "conntrack":
                return out.tracked(self._tracked(node)).encode()
            case "nft-list-ruleset.json":
                return b'{"nftables": []}'
            case "ip-link.json":
                links = [out.link("lo", 1, "00:00:00:00:00:00"), out.link("eth0", 2, macs[0])]
                links.append(out.link("cbr0", 3, macs[1], kind="bridge"))
                links += [
                    out.link(veth, 10 + at, out.mac(10, at, node), kind="veth", master="cbr0", peer=2)
                    for at, veth in enumerate(VETHS)
                ]
                return out.printed(links)
            case "bridge-link.json":
                return out.printed({"ifname": veth, "state": "forwarding", "hairpin": True, "master": "cbr0"} for veth in VETHS)
            case "ip-addr.json":
                ends = [("lo", 1, "127.0.0.1", 8, ""), ("eth0", 2, host, 12, macs[0]), ("cbr0", 3, f"{subnet}.1", 24, macs[1])]
                return out.printed(out.addresses(*end) for end in ends)
            case "ip-route.json":
                own = [out.route("default", "eth0", via=ROUTER), *out.own_routes("eth0", host, 12)]
                own += [*out.own_routes("cbr0", f"{subnet}.1", 24), *out.LOOPBACK_ROUTES]
                others = [*self._routes[:node], *self._routes[node + 1 :]]
                return out.printed(own)[:-2] + "".join(f",{one}" for one in others).encode() + b"]\n"
            case "ip-neigh.json":
                known = (self.host(other) for other in range(max(node - 5, 0), node))
                return out.printed({"dst": addr, "dev": "eth0", "lladdr": out.mac(2, 1, node), "state": ["STALE"]} for addr in known)
            case "ip-rule.json":
                return out.printed(out.RULES)
            case "bridge-fdb.json":
                return b"[]\n"
        return b""

    def _dump(self, node: int) -> bytes:
        rules = self._rules
        if node == self.broken:
            rules = rules.replace(b":FORWARD ACCEPT", b":FORWARD DROP").replace(b"-A FORWARD -j CNI-FORWARD\n", b"")
        if not self.distinct:
            return rules
        chains, calls, bodies = [], [], []
        for at in range(PODS_A_NODE):
            number = node * PODS_A_NODE + at
            chain, said = f"CNI-{hashed('cni', number)}", f'-m comment --comment "name: \\"cbr0\\" id: \\"{number:08x}\\""'
            chains.append(f":{chain} - [0:0]\n")
            calls.append(f"-A POSTROUTING -s {self.address(number)}/32 {said} -j {chain}\n")
            bodies.append(f"-A {chain} -d {self.subnet(node)}.0/24 {said} -j ACCEPT\n-A {chain} ! -d 224.0.0.0/4 {said} -j MASQUERADE\n")
        rules = rules.replace(b":KUBE-MARK-MASQ -", "".join(chains).encode() + b":KUBE-MARK-MASQ -")
        rules = rules.replace(b"-A KUBE-MARK-MASQ -j", "".join((*calls, *bodies)).encode() + b"-A KUBE-MARK-MASQ -j")
        time = f" on Mon Nov 23 02:{node // 60 % 60:02}:{node % 60:02} 2026\n".encode()
        rules = rules.replace(b"v1.8.9\n", b"v1.8.9 (nf_tables)" + time).replace(b"Completed\n", b"Completed" + time)
        return rules.replace(b"\n-A ", f"\n[{node * 7 + 1}:{node * 420 + 60}] -A ".encode())

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
                return out.printed([out.addresses("lo", 1, "127.0.0.1", 8), out.addresses("eth0", 2, addr, 24, mac)])
            case "ip-route.json":
                default = out.route("default", "eth0", via=f"{self.subnet(node)}.1")
                return out.printed([default, *out.own_routes("eth0", addr, 24), *out.LOOPBACK_ROUTES])
            case "ip-neigh.json":
                gateway = {"dst": f"{self.subnet(node)}.1", "dev": "eth0", "lladdr": out.mac(6, 0, node), "state": ["REACHABLE"]}
                return out.printed([gateway])
            case "ip-rule.json":
                return out.printed(out.RULES)
            case "sysctl":
                return out.sysctl(["lo", "eth0"], forwards=False, own=number).encode()
            case "ss":
                return out.sockets({8080: f"app-{number // 10}"}).encode()
        return b""


def _service(namespace: str, name: str, addr: str, port: int, target: int) -> dict[str, Any]:
    one = {"name": "https" if port == 443 else "http", "port": port, "protocol": "TCP", "targetPort": target}
    spec = {"type": "ClusterIP", "clusterIP": addr, "clusterIPs": [addr], "ipFamilies": ["IPv4"], "ports": [one]}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _slice(namespace: str, service: str, name: str, port: int, places: list[tuple[str, str]]) -> dict[str, Any]:
    state = {"ready": True, "serving": True, "terminating": False}
    endpoints = [{"addresses": [addr], "conditions": state} | ({"nodeName": node} if node else {}) for addr, node in places]
    labels = {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {"name": f"{service}-a", "namespace": namespace, "labels": labels},
        "endpoints": endpoints,
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }
