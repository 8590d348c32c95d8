"""Nodes: ranges that meet, agents that do not run, limits of the kernel, and what gets lost between two nodes."""

import json

import pytest

from podpath.model.finding import Severity
from tests.checks.objects import (
    a_network,
    a_node,
    a_pod,
    a_service,
    fix_of,
    found,
    meta,
    needs,
    only,
    severities,
    waiting,
)

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def addresses(**links):
    """``ip -j addr`` of links by name, each with an address and its length."""
    return json.dumps(
        [
            {
                "ifindex": i,
                "ifname": dev,
                "addr_info": [{"family": "inet", "local": ip, "prefixlen": int(length), "scope": "global"}],
            }
            for i, (dev, text) in enumerate(links.items(), 1)
            for ip, _, length in [text.partition("/")]
        ]
    )


def links(**kinds):
    """``ip -d -j link`` of links by name, each of a kind (empty: a real one)."""
    return json.dumps(
        [
            {
                "ifindex": i, "ifname": dev, "flags": ["UP", "LOWER_UP"], "mtu": 1500, "address": f"02:00:00:00:00:{i:02x}",
                "link_type": "ether", **({"linkinfo": {"info_kind": kind}} if kind else {}),
            }
            for i, (dev, kind) in enumerate(kinds.items(), 1)
        ]
    )  # fmt: skip


def a_service_cidr(cidr="10.50.0.0/16"):
    return {"kind": "ServiceCIDR", "metadata": meta("kubernetes"), "spec": {"cidrs": [cidr]}}


class TestPodsAndServices:
    """cidr-overlap-pod-service."""

    code = "cidr-overlap-pod-service"

    def test_ranges_that_meet_are_a_warning(self):
        finding = only(self.code, a_network(a_node(), a_service_cidr("10.9.0.0/16")))
        assert finding.severity is WARNING
        assert len(finding.evidence) == 2

    def test_an_address_of_both_is_an_error(self):
        network = a_network(a_node(), a_pod(), a_service(ip="10.9.0.5"), a_service_cidr("10.9.0.0/16"))
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert "10.9.0.5 is Pod demo/web-1 and Service demo/web" in finding.message

    def test_without_a_known_range_the_services_addresses_speak(self):
        assert severities(self.code, a_network(a_node(), a_service(ip="10.9.0.200"))) == [WARNING]

    @pytest.mark.parametrize("cidr", ["10.10.0.0/16", "10.9.1.0/24"])
    def test_ranges_apart_are_silent(self, cidr):
        assert found(self.code, a_network(a_node(), a_service(), a_service_cidr(cidr))) == []

    def test_the_flag_of_the_api_server_tells_the_range(self):
        api = a_pod(
            "api",
            "kube-system",
            command=["kube-apiserver", "--service-cluster-ip-range=10.9.0.0/20"],
            ip="192.0.2.1",
        )
        assert severities(self.code, a_network(a_node(), api)) == [WARNING]

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/services"}


class TestHostNetworks:
    """cidr-overlap-host-network and cidr-overlap-docker-bridge."""

    code, docker = "cidr-overlap-host-network", "cidr-overlap-docker-bridge"

    def network(self, addr="192.0.2.1/24", *, bridge="", routes=(), resolv="", objects=()):
        devs = {"eth0": addr, "cni0": "10.9.0.1/24", **({"docker0": bridge} if bridge else {})}
        kinds = {"eth0": "", "cni0": "bridge", **({"docker0": "bridge"} if bridge else {})}
        files = {
            "a/ip-addr.json": addresses(**devs),
            "a/ip-link.json": links(**kinds),
            "a/ip-route.json": json.dumps(list(routes)),
            "a/cni-net.d/10-x.conflist": '{"name": "x", "plugins": [{"type": "bridge", "bridge": "cni0"}]}',
        }
        if resolv:
            files["a/resolv.conf"] = resolv
        return a_network(a_node(), *objects, files=files)

    def test_a_machines_network_around_the_pods(self):
        finding = only(self.code, self.network("10.9.200.1/16"))
        assert finding.severity is WARNING
        assert "10.9.0.0/16 at eth0 meets 10.9.0.0/24 of Pods" in finding.message

    def test_a_longer_route_to_elsewhere_wins(self):
        route = {
            "dst": "10.9.0.128/25",
            "gateway": "192.0.2.254",
            "dev": "eth0",
            "protocol": "static",
            "flags": [],
        }
        finding = only(self.code, self.network(routes=[route]))
        assert finding.severity is WARNING
        assert "10.9.0.128/25 is the longer prefix" in finding.message

    def test_a_shorter_route_to_elsewhere_is_a_remark(self):
        route = {
            "dst": "10.0.0.0/8",
            "gateway": "192.0.2.254",
            "dev": "eth0",
            "protocol": "static",
            "flags": [],
        }
        assert severities(self.code, self.network(routes=[route])) == [INFO]

    def test_the_range_of_services_counts_too(self):
        network = self.network("10.50.0.1/24", objects=(a_service_cidr(),))
        assert "of Services" in only(self.code, network).message

    def test_a_resolver_among_the_pods_addresses(self):
        assert "10.9.0.99" in only(self.code, self.network(resolv="nameserver 10.9.0.99\n")).message

    @pytest.mark.parametrize(
        "route",
        [
            {
                "dst": "10.9.0.128/26",
                "gateway": "192.0.2.254",
                "dev": "eth0",
                "protocol": "bird",
                "flags": [],
            },
            {
                "dst": "10.9.0.0/24",
                "gateway": "192.0.2.254",
                "dev": "eth0",
                "protocol": "static",
                "flags": [],
            },
            {"dst": "default", "gateway": "192.0.2.254", "dev": "eth0", "flags": []},
        ],
    )
    def test_routes_of_the_cni_and_the_default_are_silent(self, route):
        assert found(self.code, self.network(routes=[route])) == []

    def test_networks_apart_are_silent(self):
        network = self.network(bridge="172.17.0.1/16", resolv="nameserver 192.0.2.53\n")
        assert found(self.code, network) == found(self.docker, network) == []

    def test_a_bridge_for_other_containers(self):
        network = self.network(bridge="10.9.0.129/25")
        finding = only(self.docker, network)
        assert finding.severity is WARNING
        assert "docker0" in fix_of(finding).summary
        assert found(self.code, network) == []

    def test_a_vpn_that_routes_the_pods_addresses(self):
        route = {"dst": "10.9.0.0/16", "dev": "wg0", "protocol": "boot", "scope": "link", "flags": []}
        network = self.network(routes=[route])
        assert "10.9.0.0/16 at wg0" in only(self.code, network).message

    def test_a_wireguard_link_with_the_pods_of_a_node_behind_it_is_the_cnis(self):
        route = {"dst": "10.9.0.0/24", "dev": "wg0", "protocol": "boot", "scope": "link", "flags": []}
        wide = {"dst": "10.9.0.0/16", "dev": "wg0", "protocol": "boot", "scope": "link", "flags": []}
        files = {
            "a/ip-addr.json": addresses(eth0="192.0.2.1/24"),
            "a/ip-link.json": links(eth0="", wg0="wireguard"),
            "a/ip-route.json": json.dumps([route, wide]),
        }
        assert found(self.code, a_network(a_node(), files=files)) == []

    def test_the_pods_own_bridge_is_no_stranger(self):
        assert found(self.docker, self.network()) == []


class TestMachineIdentity:
    """duplicate-machine-identity."""

    code = "duplicate-machine-identity"

    def test_one_address_for_two_nodes(self):
        finding = only(self.code, a_network(a_node(), a_node("b", "192.0.2.1", "10.9.1.0/24")))
        assert finding.severity is ERROR
        assert "InternalIP 192.0.2.1" in finding.message

    def test_one_mac_for_two_nodes(self):
        files = {f"{n}/ip-addr.json": addresses(eth0=f"192.0.2.{i}/24") for i, n in ((1, "a"), (2, "b"))}
        files |= {f"{n}/ip-link.json": links(eth0="") for n in ("a", "b")}
        network = a_network(a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"), files=files)
        finding = only(self.code, network)
        assert finding.severity is ERROR
        assert "MAC address" in finding.message

    @pytest.mark.parametrize("field", ["machineID", "systemUUID"])
    def test_an_equal_identity_is_a_warning(self, field):
        nodes = [
            a_node(
                n,
                f"192.0.2.{i}",
                f"10.9.{i}.0/24",
                info={"machineID": n, "systemUUID": f"u{n}", field: "same"},
            )
            for i, n in ((1, "a"), (2, "b"))
        ]
        assert severities(self.code, a_network(*nodes)) == [WARNING]

    @pytest.mark.parametrize("value", ["", "00000000-0000-0000-0000-000000000000"])
    def test_no_identity_at_all_is_none_to_share(self, value):
        nodes = [
            a_node(n, f"192.0.2.{i}", f"10.9.{i}.0/24", info={"machineID": n, "systemUUID": value})
            for i, n in ((1, "a"), (2, "b"))
        ]
        assert found(self.code, a_network(*nodes)) == []

    def test_different_nodes_are_silent(self):
        assert found(self.code, a_network(a_node(), a_node("b", "192.0.2.2", "10.9.1.0/24"))) == []

    def test_it_needs_nodes(self):
        assert needs(self.code) == {"api/nodes"}


class TestKubeProxy:
    """kube-proxy-not-running."""

    code = "kube-proxy-not-running"
    well = json.dumps({"lastUpdated": "x", "currentTime": "2026-03-01T12:00:00Z", "healthy": True})

    def nodes(self):
        return [a_node(n, f"192.0.2.{i}", f"10.9.{i}.0/24") for i, n in enumerate("abc", 1)]

    def proxy(self, node, **more):
        command = ["/usr/local/bin/kube-proxy", "--config=/x"]
        return a_pod(
            f"kp-{node}",
            "kube-system",
            node=node,
            ip=f"192.0.2.{ord(node) - 96}",
            command=command,
            hostNetwork=True,
            **more,
        )

    def test_its_pod_is_missing_on_one_node(self):
        finding = only(self.code, a_network(*self.nodes(), self.proxy("a"), self.proxy("b")))
        assert finding.severity is WARNING
        assert finding.subject.name == "c"

    def test_its_pod_is_not_ready(self):
        crashed = self.proxy("c", ready=False, state=waiting("CrashLoopBackOff"))
        finding = only(self.code, a_network(*self.nodes(), self.proxy("a"), self.proxy("b"), crashed))
        assert "CrashLoopBackOff" in finding.message
        assert fix_of(finding).steps[-1] == "kubectl -n kube-system delete pod kp-c"

    def test_it_calls_itself_unhealthy(self):
        sick = json.dumps({"healthy": False, "status": {"IPv4": {"healthy": False}}})
        files = {"a/proxy-healthz": sick, "b/proxy-healthz": self.well}
        assert "IPv4" in only(self.code, a_network(*self.nodes(), files=files)).message

    def test_it_is_silent_on_one_node_and_answers_on_others(self):
        files = {
            "a/ss": "tcp LISTEN 0 1 *:22 *:*\n",
            "b/proxy-healthz": self.well,
            "b/ss": "tcp LISTEN 0 1 *:10256 *:*\n",
        }
        finding = only(self.code, a_network(*self.nodes(), files=files))
        assert finding.subject.name == "a"
        assert finding.evidence[0].source == "ss"

    def test_an_answer_that_was_not_collected_is_no_silence(self):
        files = {"a/ss": "tcp LISTEN 0 1 *:10256 *:*\n", "b/proxy-healthz": self.well}
        assert found(self.code, a_network(*self.nodes(), files=files)) == []

    def test_a_pod_on_every_node_is_silent(self):
        assert found(self.code, a_network(*self.nodes(), *(self.proxy(node) for node in "abc"))) == []

    def test_a_cluster_without_kube_proxy_is_silent(self):
        assert (
            found(self.code, a_network(*self.nodes(), a_pod(), files={"a/ss": "tcp LISTEN 0 1 *:22 *:*\n"}))
            == []
        )


class TestLimits:
    """conntrack-nearly-full, neigh-table-nearly-full, nodeport-ephemeral-overlap."""

    def conntrack(self, count, most=1000):
        text = f"net.netfilter.nf_conntrack_count = {count}\nnet.netfilter.nf_conntrack_max = {most}\n"
        return a_network(a_node(), files={"a/sysctl": text})

    def neighbours(self, count):
        entries = [
            {"dst": f"192.0.2.{i}", "dev": "eth0", "lladdr": "02:00:00:00:00:01", "state": ["STALE"]}
            for i in range(count)
        ]
        files = {
            "a/sysctl": "net.ipv4.neigh.default.gc_thresh3 = 20\n",
            "a/ip-neigh.json": json.dumps(entries),
        }
        return a_network(a_node(), files=files)

    def ports(self, span, kept="", sockets=""):
        text = f"net.ipv4.ip_local_port_range = {span}\nnet.ipv4.ip_local_reserved_ports = {kept}\n"
        service = a_service(type="NodePort", ports=[{"port": 80, "targetPort": 8080, "nodePort": 30080}])
        return a_network(
            a_node(), service, files={"a/sysctl": text, **({"a/ss": sockets} if sockets else {})}
        )

    def test_a_table_of_connections_that_is_nearly_full(self):
        finding = only("conntrack-nearly-full", self.conntrack(850))
        assert finding.severity is WARNING
        assert "85 %" in finding.message
        assert finding.evidence[0].text == "net.netfilter.nf_conntrack_max = 1000"

    def test_just_below_it_is_silent(self):
        assert found("conntrack-nearly-full", self.conntrack(849)) == []

    def test_a_kernel_without_conntrack_is_silent(self):
        assert found("conntrack-nearly-full", a_network(a_node(), files={"a/sysctl": "x = 1\n"})) == []

    def test_a_table_of_neighbours_that_is_nearly_full(self):
        assert severities("neigh-table-nearly-full", self.neighbours(18)) == [WARNING]

    def test_some_room_for_neighbours_is_silent(self):
        assert found("neigh-table-nearly-full", self.neighbours(17)) == []

    def test_nodeports_in_the_range_of_local_ports_are_a_remark(self):
        assert severities("nodeport-ephemeral-overlap", self.ports("1024 65535")) == [INFO]

    def test_a_connection_from_a_nodeport_is_a_warning(self):
        sockets = "tcp ESTAB 0 0 192.0.2.1:30080 198.51.100.9:443\n"
        assert severities("nodeport-ephemeral-overlap", self.ports("1024 65535", sockets=sockets)) == [
            WARNING
        ]

    @pytest.mark.parametrize(
        ("span", "kept"), [("32768 60999", ""), ("1024 65535", "8080,30000-32767"), ("1024 65535", "30080")]
    )
    def test_a_range_without_them_is_silent(self, span, kept):
        assert found("nodeport-ephemeral-overlap", self.ports(span, kept)) == []

    @pytest.mark.parametrize(
        "code", ["conntrack-nearly-full", "neigh-table-nearly-full", "nodeport-ephemeral-overlap"]
    )
    def test_all_need_sysctl(self, code):
        assert "node/sysctl" in needs(code)


class TestBackends:
    """iptables-backend-split."""

    code = "iptables-backend-split"
    kube = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j RETURN\nCOMMIT\n"
    cni = "*nat\n:POSTROUTING ACCEPT [0:0]\n:FLANNEL-POSTRTG - [0:0]\n-A FLANNEL-POSTRTG -j RETURN\nCOMMIT\n"

    def test_two_back_ends_are_a_remark(self):
        files = {"a/iptables-legacy-save": self.kube, "a/iptables-nft-save": self.cni}
        finding = only(self.code, a_network(a_node(), files=files))
        assert finding.severity is INFO
        assert len(finding.evidence) == 2

    def test_one_back_end_is_silent(self):
        files = {
            "a/iptables-legacy-save": "",
            "a/iptables-nft-save": self.kube
            + self.cni.replace("*nat", "*filter").replace("POSTROUTING", "FORWARD"),
        }
        assert found(self.code, a_network(a_node(), files=files)) == []

    def test_a_node_without_kube_proxys_rules_is_silent(self):
        assert found(self.code, a_network(a_node(), files={"a/iptables-nft-save": self.cni})) == []


class TestLostBetween:
    """lost-between."""

    code = "lost-between"

    def network(self, target="192.0.2.2:9000", how="i/o timeout", times=2, other="b"):
        line = f'E0301 11:59:50.0 1 m.go:1] "failed" err="dial tcp 192.0.2.1:4000->{target}: {how}"\n'
        files: dict[str, str] = {}
        for i, node in ((1, "a"), (2, "b")):
            local = {
                "dst": f"192.0.2.{i}",
                "type": "local",
                "table": "local",
                "dev": "eth0",
                "protocol": "kernel",
                "scope": "host",
                "flags": [],
            }
            near = {
                "dst": "192.0.2.0/24",
                "dev": "eth0",
                "protocol": "kernel",
                "scope": "link",
                "prefsrc": f"192.0.2.{i}",
                "flags": [],
            }
            files |= {
                f"{node}/ip-addr.json": addresses(eth0=f"192.0.2.{i}/24"),
                f"{node}/ip-link.json": links(eth0=""),
                f"{node}/ip-route.json": json.dumps([local, near]),
                f"{node}/ip-rule.json": '[{"priority":0,"src":"all","table":"local"},{"priority":32766,"src":"all","table":"main"}]',
                f"{node}/iptables-nft-save": "",
                f"{node}/nft-list-ruleset.json": '{"nftables": []}',
                f"{node}/sysctl": "net.ipv4.ip_forward = 1\n",
                f"{node}/ss": "tcp LISTEN 0 1 *:9000 *:*\n",
            }
        files["a/agent.log"] = line * times
        nodes = [a_node(), *([a_node(other, "192.0.2.2", "10.9.1.0/24")])]
        return a_network(*nodes, files=files)

    def test_a_log_says_that_no_answer_comes_and_nothing_stops_it(self):
        finding = only(self.code, self.network())
        assert finding.severity is WARNING
        assert "192.0.2.2:9000 on b" in finding.message
        assert finding.evidence[0].source == "agent.log"

    @pytest.mark.parametrize("target", ["198.51.100.9:443", "192.0.2.1:9000"])
    def test_an_address_outside_or_of_the_node_itself_is_not_between(self, target):
        assert found(self.code, self.network(target)) == []

    def test_an_answer_is_no_loss(self):
        assert found(self.code, self.network(how="connect: connection refused")) == []

    def test_a_flow_that_the_model_ends_is_the_traces_matter(self):
        assert found(self.code, self.network("192.0.2.2:9999")) == []

    def test_one_line_is_silent(self):
        assert found(self.code, self.network(times=1)) == []

    def test_it_needs_logs(self):
        assert needs(self.code) == {"node/logs"}
