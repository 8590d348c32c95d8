"""What filters end: each is named after its owner, and the edit that restores the owner's line comes first."""

import msgspec
import pytest

from podpath.checks.owners import CALICO, FLANNEL, KUBE_PROXY, KUBE_ROUTER, owner_of
from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.flow import TCP, UDP, Flow
from podpath.model.linux import nftables as nf
from podpath.model.linux.netfilter import Rule
from podpath.model.refs import node_netns, pod_netns
from tests.checks import cases
from tests.checks.cases import HOST_GW, POLICED, chain, codes, healthy, mended_by, named, the


def closed(base=cases.VXLAN):
    """FORWARD of n2 drops what no rule accepts, and flannel's accepts are gone."""
    network = cases.delete(healthy(base), "n2", "filter", "-j FLANNEL-FWD")
    return cases.policy(
        cases.without_chains(network, "n2", "filter", "FLANNEL"), "n2", "filter", "FORWARD", "drop"
    )


def beside(network, *names):
    return cases.with_chains(network, "n2", "filter", *(chain(name) for name in names))


# --- FORWARD --------------------------------------------------------------------------------------------------------


def test_a_cni_chain_that_nobody_calls_is_called_again():
    network = cases.policy(
        cases.delete(healthy(), "n2", "filter", "-j FLANNEL-FWD"), "n2", "filter", "FORWARD", "drop"
    )
    found = the(named(network), "cni-accept-not-jumped")
    assert str(found.subject) == "Node n2"
    assert "FLANNEL-FWD" in found.message
    assert [edit.rule.text for edit in found.fix.edits] == [
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD'
    ]
    assert found.confidence.value == "proven"


def test_a_cni_chain_that_nobody_calls_is_called_before_the_rule_that_drops_the_rest():
    network = cases.delete(healthy(), "n2", "filter", "-j FLANNEL-FWD")
    network = cases.insert(network, "n2", "filter", "-A FORWARD -j DROP", position=99)
    found = the(named(network), "cni-accept-not-jumped")
    assert found.confidence.value == "proven"


def test_a_cni_chain_that_is_called_is_not_suspected():
    network = cases.insert(healthy(), "n2", "filter", "-A FORWARD -d 10.244.1.0/24 -j DROP")
    assert codes(named(network)) == {"foreign-iptables-rule-pod-cidr"}


def test_docker_is_named_by_its_chains():
    found = the(
        named(beside(closed(), "DOCKER-USER", "DOCKER-ISOLATION-STAGE-1")), "forward-policy-drop-docker"
    )
    assert [edit.rule.text for edit in found.fix.edits] == [
        "-A FORWARD -s 10.244.0.0/16 -j ACCEPT",
        "-A FORWARD -d 10.244.0.0/16 -j ACCEPT",
    ]
    assert found.confidence.value == "proven"
    assert any("DOCKER" in line.text for line in found.evidence)


def test_ufw_is_named_by_its_chains_and_told_in_its_own_words():
    network = beside(closed(), "ufw-before-forward")
    user = chain("ufw-user-forward")
    network = cases.with_chains(network, "n2", "filter", user)
    network = cases.insert(network, "n2", "filter", "-A FORWARD -j ufw-user-forward")
    found = the(named(network), "ufw-default-forward-deny")
    assert {edit.chain for edit in found.fix.edits} == {"ufw-user-forward"}
    assert "ufw route allow from 10.244.0.0/16" in found.fix.summary
    assert found.confidence.value == "proven"


def test_a_rule_of_ufw_that_rejects_is_ufws_too():
    network = cases.delete(healthy(), "n2", "filter", "-j FLANNEL-FWD")
    network = cases.without_chains(network, "n2", "filter", "FLANNEL")
    where = cases.table(network, "n2", "filter")
    reject = chain("ufw-reject-forward", cases.rule(where, "-A ufw-reject-forward -j REJECT"))
    network = cases.with_chains(network, "n2", "filter", reject)
    network = cases.insert(network, "n2", "filter", "-A FORWARD -j ufw-reject-forward", position=99)
    assert codes(named(network)) == {"ufw-default-forward-deny"}


@pytest.mark.parametrize(
    "chains", [(), ("DOCKER-USER", "ufw-before-forward")], ids=["nobody", "docker and ufw"]
)
def test_a_policy_of_nobody_known_has_a_plain_name(chains):
    found = the(named(beside(closed(), *chains)), "forward-policy-drop")
    assert found.confidence.value == "proven"
    assert mended_by(found) == {"InsertRule"}


def test_the_policy_breaks_the_nftables_mode_too():
    assert codes(named(closed(HOST_GW))) == {"forward-policy-drop"}


def native(owner="corpfw", *rules, policy="accept", hook="forward"):
    return cases.a_table(owner, chain("guard", *rules, hook=hook, policy=policy, priority=10))


def test_a_native_table_of_nobodys_is_foreign():
    drop = Rule(
        8,
        "ip daddr 10.244.1.0/24 drop",
        (
            nf.NftMatch("==", nf.Payload("ip", "daddr"), nf.PrefixExpr(parse_prefix("10.244.1.0/24"))),
            nf.NftVerdict("drop"),
        ),
    )
    found = the(named(cases.with_table(healthy(), "n2", native("corpfw", drop))), "foreign-nft-forward-drop")
    assert mended_by(found) == {"DeleteRule"}
    assert found.confidence.value == "proven"


def test_a_native_policy_gets_accepts_before_it_is_opened():
    found = the(named(cases.with_table(healthy(), "n2", native(policy="drop"))), "foreign-nft-forward-drop")
    assert [edit.rule.text for edit in found.fix.edits] == [
        "ip saddr 10.244.0.0/16 accept",
        "ip daddr 10.244.0.0/16 accept",
    ]


def test_firewalld_is_told_in_its_own_words():
    reject = Rule(8, "reject with icmpx admin-prohibited", (nf.NftReject("icmpx-admin-prohibited"),))
    found = the(
        named(cases.with_table(healthy(), "n2", native("firewalld", reject))), "foreign-nft-forward-drop"
    )
    assert "firewalld" in found.message
    assert found.fix.steps[0] == "n2: firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16"
    assert found.confidence.value == "proven"


def test_a_native_table_of_kubernetes_is_not_foreign():
    drop = Rule(8, "drop", (nf.NftVerdict("drop"),))
    assert codes(named(cases.with_table(healthy(), "n2", native("calico", drop)))) == {
        "policy-chains-leftover"
    }


def test_legacy_rules_are_hidden():
    legacy = cases.a_table(
        "filter", chain("FORWARD", hook="forward", policy="drop"), backend="legacy", family="ip"
    )
    found = the(named(cases.with_table(healthy(), "n2", legacy)), "legacy-table-drop-hidden")
    assert mended_by(found) == {"SetChainPolicy"}
    assert found.confidence.value == "proven"


def test_legacy_rules_are_not_hidden_where_kube_proxy_lives_there_too():
    legacy = cases.a_table(
        "filter",
        chain("FORWARD", hook="forward", policy="drop"),
        chain("KUBE-FORWARD"),
        backend="legacy",
        family="ip",
    )
    assert codes(named(cases.with_table(healthy(), "n2", legacy))) == {"forward-policy-drop"}


# --- INPUT ----------------------------------------------------------------------------------------------------------


def test_a_closed_input_ends_the_tunnel():
    network = cases.policy(healthy(), "n3", "filter", "INPUT", "drop")
    network = cases.insert(
        network, "n3", "filter", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    )
    network = cases.insert(network, "n3", "filter", "-A INPUT -p tcp -j ACCEPT")
    found = the(named(network, lambda one: one.kind == "pod"), "host-input-drop-overlay")
    assert [edit.rule.text for edit in found.fix.edits] == [
        "-A INPUT -s 172.30.0.0/24 -p udp -m udp --dport 8472 -j ACCEPT"
    ]
    assert found.confidence.value == "proven"


def test_a_closed_input_breaks_no_pods_where_routes_are_plain():
    network = cases.policy(healthy(HOST_GW), "n3", "filter", "INPUT", "drop")
    assert named(network, lambda one: one.kind == "pod") == []


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("-A INPUT -p udp -m udp --dport 8472 -j DROP", "DeleteRule"),
        ("-A INPUT -p udp -j DROP", "InsertRule"),
    ],
    ids=["of that port", "of all ports"],
)
def test_a_rule_that_ends_the_tunnel_is_no_policy(line, first):
    found = the(
        named(cases.insert(healthy(), "n3", "filter", line), lambda one: one.kind == "pod"),
        "vxlan-port-blocked",
    )
    assert mended_by(found) == {first}
    assert found.confidence.value == "proven"


@pytest.mark.parametrize(
    "line", ["-A INPUT -p tcp -m tcp --dport 10250 -j DROP", "-A INPUT -p tcp -m tcp --dport 10250 -j REJECT"]
)
def test_a_kubelet_behind_a_firewall_is_named(line):
    found = the(named(cases.insert(healthy(), "n2", "filter", line)), "kubelet-10250-blocked")
    assert str(found.subject) == "Node n2"
    assert found.confidence.value == "proven"


def api_on_node(network):
    """The API server's address becomes the node n2's own."""
    slices = {
        key: tuple(_moved(one) for one in several) if key == ("default", "kubernetes") else several
        for key, several in network.cluster.slices.items()
    }
    return cases.with_cluster(network, slices=slices)


def _moved(one):
    ends = tuple(msgspec.structs.replace(end, addresses_text=("172.30.0.12",)) for end in one.endpoints)
    return msgspec.structs.replace(one, endpoints=ends)


def test_a_firewall_before_the_api_server_is_named():
    network = cases.insert(
        api_on_node(healthy()), "n2", "filter", "-A INPUT -p tcp -m tcp --dport 6443 -j DROP"
    )
    found = the(named(network, lambda one: one.kind == "api"), "apiserver-firewalled")
    assert "n2" in found.message


# --- NodePorts ------------------------------------------------------------------------------------------------------


def test_a_node_port_behind_a_firewall_is_named():
    network = cases.insert(healthy(), "n1", "mangle", "-A PREROUTING -p tcp -m tcp --dport 30080 -j DROP")
    found = the(named(network), "nodeport-firewalled")
    assert "30080" in found.message
    assert mended_by(found) == {"DeleteRule"}
    assert found.confidence.value == "proven"


def test_another_port_of_the_node_is_no_node_port():
    network = cases.insert(healthy(), "n1", "mangle", "-A PREROUTING -p tcp -m tcp --dport 30099 -j DROP")
    assert named(network) == []


def test_a_health_check_port_behind_a_firewall_is_named():
    service = healthy().cluster.services["shop", "web"]
    spec = msgspec.structs.replace(service.spec, health_check_node_port=31999)
    services = {**healthy().cluster.services, ("shop", "web"): msgspec.structs.replace(service, spec=spec)}
    network = cases.with_cluster(healthy(), services=services)
    network = cases.insert(network, "n1", "filter", "-A INPUT -p tcp -m tcp --dport 31999 -j REJECT")
    flow = cases.from_outside("172.30.0.11", 31999)
    assert codes(cases.asked(network, flow)) == {"healthcheck-nodeport-blocked"}


# --- single rules ---------------------------------------------------------------------------------------------------


def test_a_rule_of_nobodys_is_quoted_with_its_comment():
    line = (
        '-A FORWARD -d 10.244.1.0/24 -p tcp -m comment --comment "hardening v2" -m tcp --dport 8080 -j DROP'
    )
    found = the(named(cases.insert(healthy(), "n2", "filter", line)), "foreign-iptables-rule-pod-cidr")
    assert '("hardening v2")' in found.message
    assert mended_by(found) == {"DeleteRule"}
    assert found.confidence.value == "proven"


def test_a_rule_that_matches_nothing_promised_is_silent():
    assert named(cases.insert(healthy(), "n2", "filter", "-A FORWARD -d 192.0.2.0/24 -j DROP")) == []


def test_the_bridges_own_rules_are_told_apart():
    drop = Rule(8, "drop", (nf.NftVerdict("drop"),))
    bridge = cases.a_table("guard", chain("forward", drop, hook="forward"), family="bridge")
    found = the(named(cases.with_table(healthy(), "n1", bridge)), "bridge-layer-drop")
    assert found.confidence.value == "proven"


def test_a_drop_that_lost_its_conditions_is_a_matter_of_versions():
    network = cases.insert(healthy(), "n1", "filter", "-A KUBE-FIREWALL -j DROP")
    found = the(named(network), "iptables-nft-version-skew")
    assert found.confidence.value == "proven"


def test_kube_firewalls_own_drop_is_no_matter_of_versions():
    flow = Flow(node_netns("n1"), parse_addr("172.30.0.12"), UDP, 53)
    network = cases.insert(healthy(), "n1", "filter", "-A KUBE-FIREWALL -m mark --mark 0x0/0x8000 -j DROP")
    assert "iptables-nft-version-skew" not in codes(cases.asked(network, flow))


# --- policy engines -------------------------------------------------------------------------------------------------


def denied(network):
    """kube-router on n2 rejects what its Pod ``api`` is asked, whatever the policies say."""
    where = cases.table(network, "n2", "filter")
    name = next(name for name in where.chains if name.startswith("KUBE-POD-FW-"))
    line = f"-A {name} -m comment --comment stale -j REJECT --reject-with icmp-port-unreachable"
    return cases.insert(network, "n2", "filter", line)


def test_an_engine_that_denies_what_policies_allow_is_out_of_date():
    found = the(named(denied(healthy(POLICED))), "policy-rules-out-of-date")
    assert str(found.subject) == "Node n2"
    assert "kube-router" in found.message
    assert found.fix.steps[0].startswith("kubectl -n kube-system delete pod kube-router-")


def test_an_engine_that_is_gone_left_its_chains():
    network = denied(healthy(POLICED))
    pods = {key: pod for key, pod in network.cluster.pods.items() if "kube-router" not in pod.meta.name}
    found = the(named(cases.with_cluster(network, pods=pods)), "policy-chains-leftover")
    assert found.confidence.value == "proven"
    assert "no kube-router Pod runs anywhere" in found.message


def test_an_engine_of_k3s_has_no_pod_and_is_not_gone():
    network = denied(healthy(POLICED))
    pods = {key: pod for key, pod in network.cluster.pods.items() if "kube-router" not in pod.meta.name}
    nodes = {}
    for name, node in network.cluster.nodes.items():
        info = msgspec.structs.replace(node.status.node_info, kubelet_version="v1.36.3+k3s1")
        nodes[name] = msgspec.structs.replace(
            node, status=msgspec.structs.replace(node.status, node_info=info)
        )
    assert "policy-chains-leftover" not in codes(named(cases.with_cluster(network, pods=pods, nodes=nodes)))


def to_db(network):
    client, db = cases.pod_of(network, "client"), cases.pod_of(network, "db")
    return Flow(pod_netns(*client.key), db.ips[0], TCP, 5432)


def test_what_policies_deny_is_their_word_and_not_the_engines_fault():
    network = healthy(POLICED)
    found = cases.asked(network, to_db(network))
    assert codes(found) <= {"netpol-ingress-default-deny", "netpol-egress-default-deny"}
    assert found[0].severity.value == "info"
    assert (
        found[0].fix.steps[0].startswith('echo \'{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy"')
    )
    assert mended_by(found[0]) == {"Outside"}


def test_names_that_policies_forget_are_told_as_such():
    network = healthy("policy-forgets-dns")
    web = cases.pod_of(network, "web")
    dns = network.cluster.services["kube-system", "kube-dns"].cluster_ip(v4=True) or 0
    found = cases.asked(network, Flow(pod_netns(*web.key), dns, UDP, 53))
    assert codes(found) == {"netpol-egress-blocks-dns"}


def test_probes_that_an_engine_drops_are_told_as_such():
    network = healthy(POLICED)
    api = cases.pod_of(network, "api", "n2")
    where = cases.table(network, "n2", "filter")
    name = next(
        name
        for name, one in where.chains.items()
        if name.startswith("KUBE-POD-FW-") and any(api.meta.name in r.text for r in one.rules)
    )
    network = cases.insert(network, "n2", "filter", f"-A {name} -j DROP")
    flow = Flow(node_netns("n2"), api.ips[0], TCP, 8080)
    assert codes(cases.asked(network, flow, kind="node")) <= {"probe-blocked-by-policy"}


# --- owners ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "name", "owner"),
    [
        ("nft/ip/nat", "KUBE-SEP-ABC", KUBE_PROXY),
        ("filter", "KUBE-POD-FW-ABC", KUBE_ROUTER),
        ("nft/ip/filter", "cali-fw-cali123", CALICO),
        ("native/ip/kube-proxy", "services", KUBE_PROXY),
        ("native/ip/flannel-ipv4", "postrtg", FLANNEL),
        ("nft/ip/filter", "FORWARD", None),
        ("native/inet/corpfw", "guard", None),
    ],
)
def test_a_chain_has_an_owner_or_none(table, name, owner):
    assert owner_of(table, name) == owner


def test_nothing_is_said_where_all_is_well():
    assert named(healthy()) == []
