"""Whole made-up bundles: nodes with a bridge, host-gw routes and kube-proxy rules, Pods with their namespaces, Services."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from bench.clusters import PODS_A_NODE, iptables_dump, listed, pod, pod_ip, service_ip

SYSCTL = "net.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_forward = 1\n" + "".join(
    f"net.ipv4.conf.{dev}.forwarding = 1\nnet.ipv4.conf.{dev}.rp_filter = 0\n" for dev in ("all", "eth0", "cbr0")
)
SS = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\ntcp LISTEN 0 4096 *:8080 *:* v6only:0\n"
KUBELET_SS = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\ntcp LISTEN 0 4096 *:10250 *:* v6only:0\n"


class MadeBundle(Mapping[str, bytes]):
    """A bundle whose files are made when they are read: as large as one likes, in no memory.

    Each node has 30 Pods; each Service has some of the Pods of its own as endpoints. A Pod's index is its address.
    """

    def __init__(self, nodes: int, services: int, endpoints: int = 6, *, broken_node: int | None = None) -> None:
        self.nodes, self.services, self.endpoints = nodes, services, endpoints
        self.pods = nodes * PODS_A_NODE
        self.broken = broken_node
        rng = random.Random(7)
        self.backends = [sorted(rng.sample(range(self.pods), min(endpoints, self.pods))) for _ in range(services)]
        self._rules = iptables_dump(services, endpoints, addresses=[[self.address(p) for p in chosen] for chosen in self.backends], filter_table=True).encode()
        rng = random.Random(1)
        self._names = [pod(number, rng)["metadata"] for number in range(self.pods)]
        self._files = {path: None for path in self._paths()}

    def address(self, number: int) -> str:
        """Pods of a node have addresses of its /24."""
        node, at = divmod(number, PODS_A_NODE)
        return pod_ip(node * 256 + 2 + at)

    def host(self, node: int) -> str:
        return f"172.16.{node >> 8}.{node & 255 or 255}" if node & 255 else f"172.16.{(node >> 8) + 100}.1"

    def folder(self, number: int) -> str:
        meta = self._names[number]
        return f"nodes/node-{number // PODS_A_NODE}/pods/{meta['namespace']}.{meta['name']}"

    def _paths(self) -> Iterator[str]:
        yield from (f"api/{kind}.json" for kind in ("pods", "services", "nodes", "namespaces", "networkpolicies.networking.k8s.io", "endpointslices.discovery.k8s.io"))
        node_files = ("ip-link.json", "ip-addr.json", "ip-route.json", "ip-rule.json", "ip-neigh.json", "bridge-link.json", "bridge-fdb.json", "sysctl", "ss", "iptables-nft-save", "nft-list-ruleset.json", "ip6tables-nft-save", "ipset-save")
        for node in range(self.nodes):
            yield from (f"nodes/node-{node}/{name}" for name in node_files)
        for number in range(self.pods):
            yield from (f"{self.folder(number)}/{name}" for name in ("ip-link.json", "ip-addr.json", "ip-route.json", "ip-rule.json", "sysctl", "ss", "iptables-save"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def under(self, prefix: str) -> list[str]:
        """Paths below a folder; only what node readers ask for."""
        return []

    def __getitem__(self, path: str) -> bytes:
        if path not in self._files:
            raise KeyError(path)
        area, _, rest = path.partition("/")
        if area == "api":
            return self._api(rest)
        parts = rest.split("/")
        node = int(parts[0].removeprefix("node-"))
        return self._pod_file(node, parts[2], parts[3]) if parts[1] == "pods" else self._node_file(node, parts[1])

    def _api(self, name: str) -> bytes:
        if name.startswith("pods"):
            rng = random.Random(1)
            return listed(self._pod(number, rng) for number in range(self.pods))
        if name.startswith("services"):
            return listed(self._service(number) for number in range(self.services))
        if name.startswith("endpointslices"):
            return listed(self._slice(number) for number in range(self.services))
        if name.startswith("nodes"):
            return listed(self._node(number) for number in range(self.nodes))
        return listed(iter(()))

    def _pod(self, number: int, rng: random.Random) -> dict[str, Any]:
        one, addr = pod(number, rng), self.address(number)
        one["status"] |= {"podIP": addr, "podIPs": [{"ip": addr}], "hostIP": self.host(number // PODS_A_NODE)}
        one["metadata"]["namespace"] = self._names[number]["namespace"]
        one["metadata"]["labels"] |= {f"in-{s}": "yes" for s in self._services_of(number)}
        return one

    def _services_of(self, number: int) -> list[int]:
        if not hasattr(self, "_member"):
            self._member: dict[int, list[int]] = {}
            for service, chosen in enumerate(self.backends):
                for one in chosen:
                    self._member.setdefault(one, []).append(service)
        return self._member.get(number, [])

    def _service(self, number: int) -> dict[str, Any]:
        port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
        spec = {"type": "ClusterIP", "clusterIP": service_ip(number), "clusterIPs": [service_ip(number)], "ipFamilies": ["IPv4"], "ports": [port]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"svc-{number}", "namespace": f"ns-{number % 200}"}, "spec": spec}

    def _slice(self, number: int) -> dict[str, Any]:
        chosen = self.backends[number]
        endpoints = [{"addresses": [self.address(p)], "conditions": {"ready": True, "serving": True, "terminating": False}, "nodeName": f"node-{p // PODS_A_NODE}"} for p in chosen]
        meta = {"name": f"svc-{number}-a", "namespace": f"ns-{number % 200}", "labels": {"kubernetes.io/service-name": f"svc-{number}"}}
        return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": meta, "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}

    def _node(self, number: int) -> dict[str, Any]:
        cidr = self.address(number * PODS_A_NODE).rpartition(".")[0] + ".0/24"
        status = {"addresses": [{"type": "InternalIP", "address": self.host(number)}], "conditions": [{"type": "Ready", "status": "True"}]}
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}"}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}, "status": status}

    def _node_file(self, node: int, name: str) -> bytes:
        gateway = self.address(node * PODS_A_NODE).rpartition(".")[0] + ".1"
        match name:
            case "iptables-nft-save":
                rules = self._rules
                return rules.replace(b":FORWARD ACCEPT", b":FORWARD DROP").replace(b"-A FORWARD -j CNI-FORWARD\n", b"") if node == self.broken else rules
            case "sysctl":
                return SYSCTL.encode()
            case "ss":
                return KUBELET_SS.encode()
            case "nft-list-ruleset.json":
                return b'{"nftables": []}'
            case "ip-link.json":
                links = [_link("lo", 1, "", ["LOOPBACK", "UP", "LOWER_UP"]), _link("eth0", 2, f"02:00:{node:08x}"), _link("cbr0", 3, f"06:00:{node:08x}", kind="bridge")]
                links += [_link(f"veth{at}", 10 + at, f"0a:{at:02x}:{node:08x}", kind="veth", master="cbr0", peer=2) for at in range(PODS_A_NODE)]
                return json.dumps(links).encode()
            case "bridge-link.json":
                return json.dumps([{"ifname": f"veth{at}", "state": "forwarding", "hairpin": True, "master": "cbr0"} for at in range(PODS_A_NODE)]).encode()
            case "ip-addr.json":
                return json.dumps([_addr("lo", 1, "127.0.0.1", 8, "host"), _addr("eth0", 2, self.host(node), 12), _addr("cbr0", 3, gateway, 24)]).encode()
            case "ip-route.json":
                routes = [{"dst": "default", "gateway": "172.31.255.254", "dev": "eth0", "table": "main"}, {"dst": "172.16.0.0/12", "dev": "eth0", "prefsrc": self.host(node), "scope": "link", "table": "main"}]
                routes += [{"dst": gateway.rpartition(".")[0] + ".0/24", "dev": "cbr0", "prefsrc": gateway, "scope": "link", "table": "main"}]
                routes += [{"dst": self.address(n * PODS_A_NODE).rpartition(".")[0] + ".0/24", "gateway": self.host(n), "dev": "eth0", "table": "main"} for n in range(self.nodes) if n != node]
                return json.dumps(routes).encode()
            case "ip-neigh.json" | "bridge-fdb.json" | "ip-rule.json":
                return b"[]"
        return b""

    def _pod_file(self, node: int, folder: str, name: str) -> bytes:
        at = int(folder.rpartition("-")[2], 16) - node * PODS_A_NODE
        addr = self.address(node * PODS_A_NODE + at)
        match name:
            case "ip-link.json":
                return json.dumps([_link("lo", 1, "", ["LOOPBACK", "UP", "LOWER_UP"]), _link("eth0", 2, f"0e:{at:02x}:{node:08x}", kind="veth", peer=10 + at)]).encode()
            case "ip-addr.json":
                return json.dumps([_addr("lo", 1, "127.0.0.1", 8, "host"), _addr("eth0", 2, addr, 24)]).encode()
            case "ip-route.json":
                subnet = addr.rpartition(".")[0]
                return json.dumps([{"dst": "default", "gateway": f"{subnet}.1", "dev": "eth0", "table": "main"}, {"dst": f"{subnet}.0/24", "dev": "eth0", "prefsrc": addr, "scope": "link", "table": "main"}]).encode()
            case "ip-rule.json":
                return b"[]"
            case "sysctl":
                return b"net.ipv4.ip_forward = 0\n"
            case "ss":
                return SS.encode()
        return b""


def _mac(text: str) -> str:
    digits = text.replace(":", "").rjust(12, "0")[-12:]
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _link(name: str, index: int, mac: str, flags: list[str] | None = None, *, kind: str = "", master: str = "", peer: int = 0) -> dict[str, Any]:
    one: dict[str, Any] = {"ifname": name, "ifindex": index, "mtu": 1500, "flags": flags or ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"], "link_type": "loopback" if name == "lo" else "ether", "address": _mac(mac)}
    if kind:
        one["linkinfo"] = {"info_kind": kind}
    if master:
        one["master"] = master
    if peer:
        one |= {"link_index": peer, "link_netnsid": 0}
    return one


def _addr(name: str, index: int, addr: str, length: int, scope: str = "global") -> dict[str, Any]:
    return {"ifname": name, "ifindex": index, "addr_info": [{"family": "inet", "local": addr, "prefixlen": length, "scope": scope, "label": name}]}
