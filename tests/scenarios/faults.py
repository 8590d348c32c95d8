"""Faults written into the evidence of a healthy cluster, and the code under which each must be found first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.scenarios.bundles import (
    HOSTGW,
    VXLAN,
    Files,
    change_entries,
    drop_entries,
    drop_rules,
    edit_json,
    pod_folder,
    pods_of,
    port_of,
    replace,
    rule,
    sysctl,
)


class Fault(NamedTuple):
    """A change, and what must be found."""

    code: str
    base: str
    apply: Callable[[Files], None]
    node: str = ""
    """The node or Pod that the first finding must be about; empty: any."""


def _forward_drop(files: Files) -> None:
    replace(
        files,
        "nodes/n2/iptables-nft-save",
        ":FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD",
        ":FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD",
    )


def forward_drop_docker(files: Files) -> None:
    _forward_drop(files)
    drop_rules(files, "n2", "FLANNEL-FWD")
    replace(
        files,
        "nodes/n2/iptables-nft-save",
        ":FLANNEL-FWD - [0:0]\n",
        ":DOCKER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-USER - [0:0]\n",
        count=1,
    )
    rule(files, "n2", "filter", "-A FORWARD -j DOCKER-USER")
    rule(files, "n2", "filter", "-A DOCKER-USER -j RETURN")


def forward_drop_no_jump(files: Files) -> None:
    _forward_drop(files)
    drop_rules(files, "n2", "-A FORWARD .*FLANNEL-FWD")


def legacy_forward_drop(files: Files) -> None:
    files["nodes/n2/iptables-legacy-save"] = (
        b"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    )


def input_policy_drop(files: Files) -> None:
    replace(files, "nodes/n3/iptables-nft-save", "*filter\n:INPUT ACCEPT", "*filter\n:INPUT DROP")
    rule(files, "n3", "filter", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    rule(files, "n3", "filter", "-A INPUT -i lo -j ACCEPT")
    rule(files, "n3", "filter", "-A INPUT -p tcp -m tcp --dport 10250 -j ACCEPT")
    rule(files, "n3", "filter", "-A INPUT -i cni0 -j ACCEPT")


def route_lost(files: Files) -> None:
    drop_entries(files, "nodes/n1/ip-route.json", lambda r: r["dst"] == "10.244.2.0/24")


def route_wrong_hop(files: Files) -> None:
    change_entries(
        files,
        "nodes/n1/ip-route.json",
        lambda r: r["dst"] == "10.244.2.0/24",
        lambda r: r.update(gateway="172.30.0.99"),
    )


def _become_blackhole(route: dict[str, Any]) -> None:
    route.clear()
    route.update(
        type="blackhole", dst="10.244.2.0/24", table="main", protocol="static", scope="global", flags=[]
    )


def route_blackhole(files: Files) -> None:
    change_entries(
        files,
        "nodes/n1/ip-route.json",
        lambda r: r["dst"] == "10.244.2.0/24",
        _become_blackhole,
    )


def vtep(field: str, value: object, source: str = "bridge-fdb.json") -> Callable[[Files], None]:
    """One field of n1's entry towards n3's tunnel end."""

    def change(files: Files) -> None:
        if source == "bridge-fdb.json":
            change_entries(
                files,
                "nodes/n1/bridge-fdb.json",
                lambda e: e.get("dst") == "172.30.0.13",
                lambda e: e.update({field: value}),
            )
        else:
            change_entries(
                files,
                "nodes/n1/ip-neigh.json",
                lambda e: e["dst"] == "10.244.2.0",
                lambda e: e.update({field: value}),
            )

    return change


def no_fdb(files: Files) -> None:
    drop_entries(files, "nodes/n1/bridge-fdb.json", lambda e: e.get("dst") == "172.30.0.13")


def no_neighbor(files: Files) -> None:
    drop_entries(files, "nodes/n1/ip-neigh.json", lambda e: e["dst"] == "10.244.2.0")


def stale_vtep_mac(files: Files) -> None:
    vtep("lladdr", "02:00:00:00:00:99", "ip-neigh.json")(files)
    change_entries(
        files,
        "nodes/n1/bridge-fdb.json",
        lambda e: e.get("dst") == "172.30.0.13",
        lambda e: e.update(mac="02:00:00:00:00:99"),
    )


def vxlan_attribute(field: str, value: object) -> Callable[[Files], None]:
    """An attribute of n3's vxlan device."""

    def change(files: Files) -> None:
        change_entries(
            files,
            "nodes/n3/ip-link.json",
            lambda e: e["ifname"] == "flannel.1",
            lambda e: e["linkinfo"]["info_data"].update({field: value}),
        )

    return change


def _veth(files: Files) -> tuple[str, str]:
    node, pod, _ = pods_of(files, "api")[0]
    return node, port_of(files, node, pod)


def veth_down(files: Files) -> None:
    node, port = _veth(files)
    change_entries(
        files,
        f"nodes/{node}/ip-link.json",
        lambda e: e["ifname"] == port,
        lambda e: e.update(flags=["BROADCAST", "MULTICAST"], operstate="DOWN"),
    )
    change_entries(
        files,
        f"nodes/{node}/bridge-link.json",
        lambda e: e["ifname"] == port,
        lambda e: e.update(state="disabled"),
    )


def veth_detached(files: Files) -> None:
    node, port = _veth(files)
    change_entries(
        files, f"nodes/{node}/ip-link.json", lambda e: e["ifname"] == port, lambda e: e.pop("master")
    )
    drop_entries(files, f"nodes/{node}/bridge-link.json", lambda e: e["ifname"] == port)


def hairpin_off(files: Files) -> None:
    change_entries(files, "nodes/n1/bridge-link.json", lambda _: True, lambda e: e.update(hairpin=False))
    replace(files, "nodes/n1/hairpin_mode", ":1", ":0")


def module_missing(files: Files) -> None:
    path = "nodes/n1/sysctl"
    files[path] = b"\n".join(line for line in files[path].split(b"\n") if not line.startswith(b"net.bridge."))


def no_default_route(files: Files) -> None:
    drop_entries(files, "nodes/n1/ip-route.json", lambda r: r["dst"] == "default")


def pod_no_default_route(files: Files) -> None:
    node, pod, _ = pods_of(files, "api")[0]
    drop_entries(
        files, f"{pod_folder(node, pod)}/ip-route.json", lambda r: r["dst"] in ("default", "10.244.0.0/16")
    )


def notrack(files: Files) -> None:
    path = "nodes/n1/iptables-nft-save"
    files[path] = (
        b"*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -s 10.244.0.0/16 -j CT --notrack\nCOMMIT\n"
        + files[path]
    )


def hooks_flushed(files: Files) -> None:
    drop_rules(files, "n1", "-A PREROUTING .*KUBE-SERVICES")


def rules_missing(files: Files) -> None:
    drop_rules(files, "n1", r'-A KUBE-SERVICES .*"shop/api:http cluster IP"')


def stale_endpoint(files: Files) -> None:
    _, _, addr = pods_of(files, "api")[0]
    replace(
        files,
        "nodes/n1/iptables-nft-save",
        f"--to-destination {addr}:8080",
        "--to-destination 10.244.1.250:8080",
    )


def no_masquerade(files: Files) -> None:
    drop_rules(files, "n1", r"FLANNEL-POSTRTG -s \S+ ! -d 224.0.0.0/4 .*MASQUERADE")


def _other_target_port(files: Files, was: int, now: int) -> None:
    def service(content: dict) -> None:
        for one in content["items"]:
            for port in one["spec"].get("ports", []):
                if port.get("targetPort") == was:
                    port["targetPort"] = now

    def slices(content: dict) -> None:
        for one in content["items"]:
            for port in one.get("ports") or []:
                if port.get("port") == was:
                    port["port"] = now

    edit_json(files, "api/services.json", service)
    edit_json(files, "api/endpointslices.discovery.k8s.io.json", slices)
    for node in ("n1", "n2", "n3"):
        replace(files, f"nodes/{node}/iptables-nft-save", f":{was}\n", f":{now}\n")


def target_port(files: Files) -> None:
    _other_target_port(files, 8000, 8001)


def _sockets(files: Files, app: str, change: Callable[[str], str]) -> None:
    for node, pod, _ in pods_of(files, app):
        path = f"{pod_folder(node, pod)}/ss"
        before = files[path].decode()
        after = change(before)
        assert after != before
        files[path] = after.encode()


def listens_loopback(files: Files) -> None:
    _sockets(files, "web", lambda ss: ss.replace("*:8000", "127.0.0.1:8000", 1))


def not_listening(files: Files) -> None:
    _sockets(files, "web", lambda ss: "\n".join(line for line in ss.split("\n") if ":8000" not in line))


def isolated_ports(files: Files) -> None:
    change_entries(files, "nodes/n1/bridge-link.json", lambda _: True, lambda e: e.update(isolated=True))


def rp_filter(files: Files) -> None:
    sysctl(files, "n1", "net.ipv4.conf.all.rp_filter", "1")
    change_entries(
        files,
        "nodes/n1/ip-route.json",
        lambda r: r["dst"] == "10.244.2.0/24",
        lambda r: r.update(gateway="172.30.0.13", dev="eth0", flags=[]),
    )


def _nft(files: Files, node: str, change: Callable[[list[dict]], list[dict]]) -> None:
    """Change the objects of a node's nft listing; the text listing, which then fits no more, goes."""
    edit_json(
        files,
        f"nodes/{node}/nft-list-ruleset.json",
        lambda content: {"nftables": change(content["nftables"])},
    )
    del files[f"nodes/{node}/nft-list-ruleset"]


def _of(one: dict, kind: str) -> dict:
    return one.get(kind, {}) if isinstance(one.get(kind), dict) else {}


def nft_service_missing(files: Files) -> None:
    def change(objects: list[dict]) -> list[dict]:
        for one in objects:
            known = _of(one, "map")
            if known.get("name") == "service-ips" and known.get("family") == "ip":
                known["elem"] = [e for e in known["elem"] if "shop/api/tcp/http" not in str(e[1])]
        return objects

    _nft(files, "n1", change)


def nft_table_gone(files: Files) -> None:
    def change(objects: list[dict]) -> list[dict]:
        return [
            one
            for one in objects
            if not any(
                isinstance(v, dict) and "kube-proxy" in (v.get("table"), v.get("name")) for v in one.values()
            )
        ]

    _nft(files, "n1", change)


def all_mtu(files: Files, mtu: int) -> None:
    """Pods and bridges get another MTU; the tunnel keeps its own."""

    def change(links: list[dict]) -> None:
        for link in links:
            if link["mtu"] == 1450 and link["ifname"] != "flannel.1":
                link["mtu"] = mtu

    for path in [path for path in files if path.endswith("/ip-link.json")]:
        edit_json(files, path, change)


def black_hole(files: Files) -> None:
    all_mtu(files, 1500)
    for node in ("n1", "n2", "n3"):
        rule(files, node, "filter", "-A OUTPUT -p icmp -j DROP")


def null_routing_rule(files: Files) -> None:
    edit_json(
        files,
        "nodes/n1/ip-rule.json",
        lambda rules: [*rules, {"priority": 200, "src": "10.244.0.0", "srclen": 24, "table": "30400"}],
    )
    edit_json(
        files,
        "nodes/n1/ip-route.json",
        lambda routes: [
            *routes,
            {
                "type": "unreachable",
                "dst": "default",
                "table": "30400",
                "protocol": "boot",
                "scope": "global",
                "flags": [],
            },
        ],
    )


def mark_cleared(files: Files) -> None:
    rule(files, "n1", "mangle", "-A POSTROUTING -j MARK --set-xmark 0x0/0xffffffff")


def forward_off(files: Files) -> None:
    """As the kernel has it: the switch for all is copied to every device."""
    for key in ("ip_forward", *(f"conf.{dev}.forwarding" for dev in ("cni0", "eth0", "flannel/1"))):
        sysctl(files, "n2", f"net.ipv4.{key}", "0")


FAULTS = {
    "ip_forward is 0": Fault("ip-forward-off", VXLAN, forward_off, "n2"),
    "one device does not forward": Fault(
        "iface-forwarding-off", VXLAN, lambda f: sysctl(f, "n1", "net.ipv4.conf.cni0.forwarding", "0"), "n1"
    ),
    "bridged packets skip iptables": Fault(
        "br-nf-call-iptables-off",
        VXLAN,
        lambda f: sysctl(f, "n1", "net.bridge.bridge-nf-call-iptables", "0"),
        "n1",
    ),
    "br_netfilter is not loaded": Fault("br-netfilter-module-missing", VXLAN, module_missing, "n1"),
    "Docker drops forwarding": Fault("forward-policy-drop-docker", VXLAN, forward_drop_docker, "n2"),
    "the CNI's accepts are not called": Fault("cni-accept-not-jumped", VXLAN, forward_drop_no_jump, "n2"),
    "the legacy back end drops": Fault("legacy-table-drop-hidden", VXLAN, legacy_forward_drop, "n2"),
    "INPUT drops the overlay": Fault("host-input-drop-overlay", VXLAN, input_policy_drop, "n3"),
    "a rule drops the overlay": Fault(
        "vxlan-port-blocked",
        VXLAN,
        lambda f: rule(f, "n3", "filter", "-A INPUT -p udp -m udp --dport 8472 -j DROP"),
        "n3",
    ),
    "a rule of nobody's drops Pods": Fault(
        "foreign-iptables-rule-pod-cidr",
        VXLAN,
        lambda f: rule(
            f,
            "n2",
            "filter",
            '-A FORWARD -d 10.244.1.0/24 -p tcp -m tcp --dport 8080 -m comment --comment "audit 7" -j DROP',
        ),
        "n2",
    ),
    "a route to a Pod range is lost": Fault("podcidr-route-missing", VXLAN, route_lost, "n1"),
    "a route to a Pod range is lost (host-gw)": Fault("podcidr-route-missing", HOSTGW, route_lost, "n1"),
    "a route goes to nobody": Fault("podcidr-route-wrong-nexthop", HOSTGW, route_wrong_hop, "n1"),
    "a Pod range is a blackhole": Fault("podcidr-blackhole-route", VXLAN, route_blackhole, "n1"),
    "no forwarding entry for a peer": Fault("vtep-fdb-missing", VXLAN, no_fdb, "n1"),
    "a peer's entry leads to another node": Fault(
        "vtep-dst-wrong-node", VXLAN, vtep("dst", "172.30.0.12"), "n1"
    ),
    "no neighbour for a peer": Fault("vtep-neigh-missing", VXLAN, no_neighbor, "n1"),
    "a peer's MAC is old": Fault("vtep-mac-stale", VXLAN, stale_vtep_mac),
    "a VNI differs": Fault("vxlan-vni-mismatch", VXLAN, vxlan_attribute("id", 7)),
    "a tunnel port differs": Fault("vxlan-dstport-mismatch", VXLAN, vxlan_attribute("port", 4789)),
    "a veth is down": Fault("veth-down-or-detached", VXLAN, veth_down),
    "a veth is not in its bridge": Fault("veth-down-or-detached", VXLAN, veth_detached),
    "hairpin is off": Fault("hairpin-off", VXLAN, hairpin_off, "n1"),
    "ports are isolated": Fault("port-isolated", VXLAN, isolated_ports, "n1"),
    "rp_filter meets an asymmetric route": Fault("rp-filter-strict-asymmetric", VXLAN, rp_filter, "n1"),
    "a node has no default route": Fault("node-no-default-route", VXLAN, no_default_route, "n1"),
    "a Pod has no default route": Fault("pod-no-default-route", VXLAN, pod_no_default_route),
    "Pods are not tracked": Fault("raw-notrack-pods", VXLAN, notrack, "n1"),
    "the jump to KUBE-SERVICES is gone": Fault("kube-proxy-hooks-flushed", VXLAN, hooks_flushed, "n1"),
    "a Service has no rule": Fault("kube-proxy-rules-missing", VXLAN, rules_missing, "n1"),
    "an endpoint is old": Fault("kube-proxy-stale-endpoint", VXLAN, stale_endpoint, "n1"),
    "Pods leave with their own address": Fault("pod-masquerade-missing", VXLAN, no_masquerade, "n1"),
    "a Service is not in the map (nftables)": Fault(
        "kube-proxy-rules-missing", HOSTGW, nft_service_missing, "n1"
    ),
    "kube-proxy's table is gone (nftables)": Fault("kube-proxy-rules-missing", HOSTGW, nft_table_gone, "n1"),
    "INPUT refuses the kubelet's port": Fault(
        "kubelet-10250-blocked",
        VXLAN,
        lambda f: rule(
            f,
            "n2",
            "filter",
            "-A INPUT -p tcp -m tcp --dport 10250 -j REJECT --reject-with icmp-host-prohibited",
        ),
        "n2",
    ),
    "a node may not ask the API server": Fault(
        "apiserver-firewalled",
        VXLAN,
        lambda f: rule(f, "n1", "filter", "-A OUTPUT -p tcp -m tcp --dport 6443 -j DROP"),
        "n1",
    ),
    "NodePorts are dropped at the door": Fault(
        "nodeport-firewalled",
        VXLAN,
        lambda f: rule(f, "n1", "mangle", "-A PREROUTING -i eth0 -p tcp -m tcp --dport 30000:32767 -j DROP"),
        "n1",
    ),
    "a routing rule leads Pods to nowhere": Fault("nm-cloud-setup-hijack", VXLAN, null_routing_rule, "n1"),
    "large packets are lost in silence": Fault("pmtud-icmp-blocked", VXLAN, black_hole),
    "the service mark is cleared": Fault("mark-clobber", VXLAN, mark_cleared, "n1"),
    "targetPort is another": Fault("svc-targetport-mismatch", VXLAN, target_port),
    "the process listens on loopback": Fault("container-listens-loopback", VXLAN, listens_loopback),
    "the process does not listen": Fault("container-not-listening", VXLAN, not_listening),
}
