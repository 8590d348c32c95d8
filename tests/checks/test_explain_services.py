"""What becomes of a Service on a node: not translated, translated to the wrong one, or refused as it should be."""

import msgspec
import pytest

from podpath.model.addr import ALL_BITS, Prefix, parse_addr
from podpath.model.edit import DeleteRule, InsertRule, apply_edits, table_id
from podpath.model.flow import TCP, Flow
from podpath.model.kube.scalars import decode_scalar
from podpath.model.linux import netfilter as nl
from podpath.model.linux import xtables as xt
from podpath.model.linux.cni import CniConfig, CniPlugin
from podpath.model.linux.netfilter import Rule
from podpath.model.refs import node_netns, pod_netns
from tests.checks import cases
from tests.checks.cases import HOST_GW, chain, codes, healthy, mended_by, named, the

CLIENT = pod_netns("ops", "client")


def services(one):
    return one.kind in ("service", "node-port", "self", "api", "dns")


def vip(network, name="web", namespace="shop"):
    return network.cluster.services[namespace, name].cluster_ips[0]


# --- not translated -------------------------------------------------------------------------------------------------


def test_a_jump_that_is_gone_is_put_back():
    found = the(
        named(cases.delete(healthy(), "n1", "nat", "-A PREROUTING"), services), "kube-proxy-hooks-flushed"
    )
    assert [edit.rule.text for edit in found.fix.edits] == [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    ]
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")


def test_the_node_itself_needs_the_jump_from_output():
    found = named(cases.delete(healthy(), "n1", "nat", "-A OUTPUT"), services)
    assert codes(found) == {"kube-proxy-hooks-flushed"}
    assert all(promise.flow.netns == "node/n1" for one in found for promise in one.breaks)


def test_both_jumps_are_one_mending():
    network = cases.delete(cases.delete(healthy(), "n1", "nat", "-A OUTPUT"), "n1", "nat", "-A PREROUTING")
    found = named(network, services)
    assert codes(found) == {"kube-proxy-hooks-flushed"}
    assert {len(one.fix.edits) for one in found} == {2}


def test_the_jump_to_postrouting_is_missed_by_what_must_be_masqueraded():
    network = cases.delete(healthy(), "n1", "nat", "-j KUBE-POSTROUTING")
    found = named(network, lambda one: one.kind == "self")
    assert codes(found) == {"kube-proxy-hooks-flushed"}


def test_a_kube_proxy_that_does_not_listen_is_the_reason():
    network = cases.delete(healthy(), "n1", "nat", "-A PREROUTING")
    sockets = tuple(s for s in cases.host(network, "n1").sockets if s.port != 10256)
    found = the(named(cases.changed(network, "n1", sockets=sockets), services), "kube-proxy-hooks-flushed")
    assert "nothing listens on its health port 10256" in found.reason


def test_a_service_without_rules_is_named_and_kube_proxy_restarted():
    network = cases.delete(healthy(), "n1", "nat", '"shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC')
    found = the(named(network, services), "kube-proxy-rules-missing")
    assert "Service shop/web" in found.message
    assert found.fix.steps == ("n1: systemctl restart kube-proxy",)
    assert found.confidence.value == "proven"


def test_an_empty_chain_is_as_bad():
    where = cases.table(healthy(), "n1", "nat")
    name = next(
        name
        for name, one in where.chains.items()
        if name.startswith("KUBE-SVC-") and "shop/web " in one.rules[0].text
    )
    network = cases.with_chains(healthy(), "n1", "nat", chain(name))
    assert codes(named(network, services)) == {"kube-proxy-rules-missing"}


def test_without_kube_proxys_chain_all_services_are_missing():
    network = cases.without_chains(healthy(), "n1", "nat", "KUBE-")
    network = cases.delete(
        cases.delete(network, "n1", "nat", "-j KUBE-SERVICES"), "n1", "nat", "-j KUBE-POSTROUTING"
    )
    found = named(network, services)
    assert codes(found) == {"kube-proxy-rules-missing"}
    assert "any Service" in found[0].message
    assert len({repr(one.fix.edits) for one in found}) == 1


def test_a_reject_of_an_older_state_is_kube_proxys_fault():
    line = (
        f"-A KUBE-SERVICES -d {'.'.join(map(str, vip(healthy()).to_bytes(16, 'big')[12:]))}/32 -p tcp -m comment "
        '--comment "shop/web has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable'
    )
    network = cases.delete(healthy(), "n1", "nat", '"shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC')
    network = cases.insert(network, "n1", "filter", line)
    found = the(
        named(network, lambda one: services(one) and "shop/web:" in one.text), "kube-proxy-rules-missing"
    )
    assert {"DeleteRule", "InsertRule"} == mended_by(found)


def element(network, node, map_name, keep):
    """kube-proxy's map with some of its elements."""
    where = cases.table(network, node, "kube-proxy", "native")
    known = where.sets[map_name]
    sets = {
        **where.sets,
        map_name: msgspec.structs.replace(known, elements=tuple(e for e in known.elements if keep(e))),
    }
    changed = type(where)(
        where.backend, where.family, where.name, where.file, where.chains, sets, where.order
    )
    others = tuple(t for t in cases.host(network, node).tables if t is not where)
    return cases.changed(network, node, tables=(*others, changed))


def test_a_missing_element_of_the_map_is_the_same_in_nftables_mode():
    network = element(
        healthy(HOST_GW), "n1", "service-ips", lambda e: str(vip(healthy(HOST_GW))) not in str(e.key)
    )
    found = the(named(network, services), "kube-proxy-rules-missing")
    assert found.confidence.value == "proven"
    assert "shop/web" in found.message


def test_a_notrack_rule_for_pods_is_taken_away():
    network = cases.with_table(
        healthy(),
        "n1",
        cases.a_table(
            "raw", chain("PREROUTING", hook="prerouting", priority=-300), backend="nft", family="ip"
        ),
    )
    network = cases.insert(network, "n1", "raw", "-A PREROUTING -s 10.244.0.0/16 -j CT --notrack")
    found = named(network)
    assert codes(found) == {"raw-notrack-pods"}
    assert found[0].confidence.value == "proven"


def test_the_node_local_caches_own_notrack_is_right():
    network = cases.with_table(
        healthy(),
        "n1",
        cases.a_table(
            "raw", chain("PREROUTING", hook="prerouting", priority=-300), backend="nft", family="ip"
        ),
    )
    network = cases.insert(network, "n1", "raw", "-A PREROUTING -d 169.254.20.10/32 -j CT --notrack")
    assert named(network, services) == []


# --- not offered ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [cases.VXLAN, HOST_GW], ids=["iptables", "nftables"])
def test_a_port_that_a_service_does_not_have_is_no_fault_of_kube_proxy(base):
    flow = Flow(CLIENT, vip(healthy(base)), TCP, 8081)
    found = the(cases.asked(healthy(base), flow), "svc-port-string-or-missing")
    assert found.severity.value == "info"
    assert "80/tcp" in found.message


def restricted(network, node, *ranges):
    config = msgspec.structs.replace(network.nodes[node].kube_proxy, node_port_addresses=ranges)
    return cases.with_node(network, node, kube_proxy=config)


def test_a_node_port_at_an_address_that_is_left_out_is_as_configured():
    network = restricted(cases.delete(healthy(), "n1", "nat", "-j KUBE-NODEPORTS"), "n1", "192.0.2.0/24")
    flow = cases.from_outside("172.30.0.11", 30080)
    found = the(cases.asked(network, flow), "nodeport-addresses-restricted")
    assert found.severity.value == "info"


def test_a_node_port_at_an_address_that_is_served_is_not():
    network = restricted(cases.delete(healthy(), "n1", "nat", "-j KUBE-NODEPORTS"), "n1", "172.30.0.0/16")
    flow = cases.from_outside("172.30.0.11", 30080)
    assert "nodeport-addresses-restricted" not in codes(cases.asked(network, flow))


def with_host_port(network, node="n1", number=8088):
    pod = cases.pod_of(network, "web", node)
    port = msgspec.structs.replace(pod.spec.containers[0].ports[0], host_port=number)
    container = msgspec.structs.replace(pod.spec.containers[0], ports=(port,))
    spec = msgspec.structs.replace(pod.spec, containers=(container,))
    return cases.with_cluster(
        network, pods={**network.cluster.pods, pod.key: msgspec.structs.replace(pod, spec=spec)}
    ), pod


@pytest.mark.parametrize(
    "plugins", [("bridge",), ("bridge", "portmap")], ids=["without portmap", "with portmap"]
)
def test_a_host_port_that_is_not_forwarded_is_the_cnis_matter(plugins):
    network, pod = with_host_port(healthy())
    config = CniConfig(
        "nodes/n1/cni-net.d/10-x.conflist", "x", plugins=tuple(CniPlugin(one) for one in plugins)
    )
    network = cases.with_node(network, "n1", cni=(config,))
    found = the(
        cases.asked(network, cases.from_outside("172.30.0.11", 8088)),
        "hostport-no-portmap",
    )
    assert found.subject == pod.ref
    assert ("has no portmap plugin" in found.message) == (len(plugins) == 1)


# --- the wrong target -----------------------------------------------------------------------------------------------


def dnat(network, node, name, piece, to):
    """The rules of a table that translate so now translate elsewhere."""
    where = cases.table(network, node, name)
    edits: list[DeleteRule | InsertRule] = []
    for one in where.chains.values():
        for rule in one.rules:
            if piece in rule.text:
                text = f"{rule.text.rpartition(' ')[0]} {to}"
                edits.append(DeleteRule(node_netns(node), table_id(where), one.name, rule))
                edits.append(
                    InsertRule(
                        node_netns(node), table_id(where), one.name, cases.rule(where, text, rule.line), -1
                    )
                )
    assert edits
    return apply_edits(network, tuple(edits))


def target_of(network, app="web", port=8000):
    return f"{'.'.join(map(str, cases.pod_of(network, app).ips[0].to_bytes(16, 'big')[12:]))}:{port}"


def test_an_endpoint_that_is_gone_is_kube_proxys_fault():
    network = dnat(healthy(), "n1", "nat", f"--to-destination {target_of(healthy())}", "10.244.1.99:8000")
    found = the(
        named(network, lambda one: services(one) and "shop/web:" in one.text), "kube-proxy-stale-endpoint"
    )
    assert "10.244.1.99:8000" in found.message
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")


def test_an_endpoint_that_is_somebody_elses_now_is_the_same():
    other = target_of(healthy(), "api", 8080)
    network = dnat(healthy(), "n1", "nat", f"--to-destination {target_of(healthy())}", other)
    found = named(network, lambda one: services(one) and "shop/web:" in one.text)
    assert codes(found) == {"kube-proxy-stale-endpoint"}


def test_an_endpoint_that_is_listed_and_dead_is_not_kube_proxys_fault():
    web = cases.pod_of(healthy(), "web")
    known = healthy().namespaces[pod_netns(*web.key)].sockets or ()
    sockets = tuple(s for s in known if s.port != 8000)
    network = cases.changed_netns(healthy(), pod_netns(*web.key), sockets=sockets)
    assert "kube-proxy-stale-endpoint" not in codes(named(network, services))


def test_rules_of_a_mode_that_is_not_in_use_are_leftovers():
    known = healthy().nodes["n1"].kube_proxy
    assert known is not None
    config = msgspec.structs.replace(known, mode="nftables")
    network = dnat(healthy(), "n1", "nat", f"--to-destination {target_of(healthy())}", "10.244.1.99:8000")
    network = cases.with_node(network, "n1", kube_proxy=config)
    found = the(
        named(network, lambda one: services(one) and "shop/web:" in one.text), "kube-proxy-mode-leftover"
    )
    assert found.fix.steps[0] == "n1: kube-proxy --cleanup"
    assert mended_by(found) == {"DeleteRule"}


def host_port_rule(network, to):
    network = cases.with_chains(network, "n1", "nat", chain("CNI-DN-0123"))
    where = cases.table(network, "n1", "nat")
    rule = cases.rule(where, f"-A CNI-DN-0123 -p tcp -m tcp --dport 30080 -j DNAT --to-destination {to}")
    network = cases.with_chains(network, "n1", "nat", chain("CNI-DN-0123", rule))
    return cases.insert(network, "n1", "nat", "-A PREROUTING -p tcp -m tcp --dport 30080 -j CNI-DN-0123")


@pytest.mark.parametrize(
    ("to", "shown"), [("10.244.0.99:80", "a Pod that is gone"), (None, "'s hostPort")], ids=["stale", "live"]
)
def test_a_host_port_wins_over_a_node_port(to, shown):
    network = host_port_rule(healthy(), to or target_of(healthy(), "api", 8080))
    found = the(named(network, lambda one: one.kind == "node-port"), "hostport-shadows-service")
    assert shown in found.message
    assert mended_by(found) == {"DeleteRule"}


# --- marks and masquerade -------------------------------------------------------------------------------------------


def test_a_mark_that_is_overwritten_is_named_with_its_rule():
    network = cases.insert(healthy(), "n1", "mangle", "-A POSTROUTING -j MARK --set-xmark 0x0/0xffffffff")
    found = named(network, lambda one: one.kind == "self")
    assert codes(found) == {"mark-clobber"}
    assert mended_by(found[0]) == {"DeleteRule"}
    assert found[0].confidence.value == "proven"


def test_a_mark_with_a_mask_leaves_kube_proxys_bit():
    network = cases.insert(healthy(), "n1", "mangle", "-A POSTROUTING -j MARK --set-xmark 0x1/0xff")
    assert named(network, services) == []


def test_without_its_own_masquerade_a_pod_gets_its_own_address():
    network = cases.delete(healthy(), "n1", "nat", "-j KUBE-MARK-MASQ")
    found = the(named(network, lambda one: one.kind == "self"), "self-masquerade-missing")
    assert (str(found.subject), found.confidence.value) == ("Node n1", "proven")
    assert all(edit.rule.items[-1] == nl.Jump("KUBE-MARK-MASQ") for edit in found.fix.edits)


def test_in_nftables_mode_the_set_of_hairpins_is_its_own_masquerade():
    where = cases.table(healthy(HOST_GW), "n1", "kube-proxy", "native")
    assert "hairpin-connections" in where.sets
    network = element(healthy(HOST_GW), "n1", "hairpin-connections", lambda _: False)
    found = the(named(network, lambda one: one.kind == "self"), "self-masquerade-missing")
    assert found.confidence.value == "proven"


def test_a_balancers_address_on_kube_ipvs0_is_its_own():
    service = healthy().cluster.services["shop", "web"]
    status = msgspec.convert(
        {"loadBalancer": {"ingress": [{"ip": "172.30.0.200"}]}}, type(service.status), dec_hook=decode_scalar
    )
    network = cases.with_cluster(
        healthy(),
        services={**healthy().cluster.services, service.key: msgspec.structs.replace(service, status=status)},
    )
    network = cases.address(network, "n1", "kube-ipvs0", "172.30.0.200", 32)
    found = the(
        cases.asked(network, cases.from_outside("172.30.0.11", 30080, src="172.30.0.200")),
        "lb-ip-on-kube-ipvs0",
    )
    assert "ipMode" in found.fix.edits[0].patch


def test_a_node_port_at_localhost_is_told_by_its_switch():
    network = cases.sysctl(healthy(), "n1", "net.ipv4.conf.all.route_localnet", "0")
    network = cases.sysctl(network, "n1", "net.ipv4.conf.cni0.route_localnet", "0")
    network = cases.sysctl(network, "n1", "net.ipv4.conf.flannel/1.route_localnet", "0")
    flow = Flow(node_netns("n1"), parse_addr("127.0.0.1"), TCP, 30080)
    assert codes(cases.asked(network, flow)) == {"nodeport-localhost-unsupported"}


# --- as designed ----------------------------------------------------------------------------------------------------


def outside_to(node, port=30081):
    return cases.from_outside(f"172.30.0.1{node[1]}", port)


@pytest.mark.parametrize("base", [cases.VXLAN, HOST_GW], ids=["iptables", "nftables"])
def test_a_local_policy_without_a_local_pod_drops_as_asked(base):
    found = the(cases.asked(healthy(base), outside_to("n3")), "etp-local-no-local-endpoint")
    assert found.severity.value == "info"
    assert "shop/web-local" in found.message


def test_a_local_policy_that_drops_beside_a_local_pod_is_a_wrong_name():
    service = healthy().cluster.services["shop", "web-local"]
    slices = {
        key: tuple(
            msgspec.structs.replace(
                one, endpoints=tuple(msgspec.structs.replace(e, node_name="n3") for e in one.endpoints)
            )
            for one in several
        )
        if key == service.key
        else several
        for key, several in healthy().cluster.slices.items()
    }
    found = the(
        cases.asked(cases.with_cluster(healthy(), slices=slices), outside_to("n3")),
        "kube-proxy-hostname-mismatch",
    )
    assert str(found.subject) == "Node n3"


def internal(network, name="web"):
    """The Service keeps its clients on their own node; n3 has none of its Pods, and kube-proxy drops there."""
    service = network.cluster.services["shop", name]
    spec = msgspec.structs.replace(service.spec, internal_traffic_policy="Local")
    network = cases.with_cluster(
        network,
        services={**network.cluster.services, service.key: msgspec.structs.replace(service, spec=spec)},
    )
    own = Prefix(vip(network, name), ALL_BITS)
    rule = Rule(
        901,
        f'-A KUBE-SERVICES -d {own} -m comment --comment "shop/{name} has no local endpoints" -j DROP',
        (xt.AddressMatch("dst", own), nl.Drop()),
    )
    where = cases.table(network, "n3", "filter")
    network = cases.delete(network, "n3", "nat", f'"shop/{name} cluster IP" -m tcp --dport 80 -j KUBE-SVC')
    return apply_edits(network, (InsertRule(node_netns("n3"), table_id(where), "KUBE-SERVICES", rule),))


def test_an_internal_local_policy_is_told_apart():
    found = the(
        cases.asked(internal(healthy()), Flow(node_netns("n3"), vip(healthy()), TCP, 80)),
        "itp-local-no-endpoint",
    )
    assert found.severity.value == "warning"


def test_source_ranges_are_quoted():
    service = healthy().cluster.services["shop", "web"]
    spec = msgspec.structs.replace(service.spec, load_balancer_source_ranges=("192.0.2.0/24",))
    network = cases.with_cluster(
        healthy(),
        services={**healthy().cluster.services, service.key: msgspec.structs.replace(service, spec=spec)},
    )
    rule = Rule(902, "-A KUBE-PROXY-FIREWALL -j DROP", (nl.Drop(),))
    where = cases.table(network, "n1", "filter")
    network = apply_edits(
        network, (InsertRule(node_netns("n1"), table_id(where), "KUBE-PROXY-FIREWALL", rule),)
    )
    found = the(cases.asked(network, outside_to("n1", 30080)), "lb-source-ranges-block")
    assert '"172.30.0.1/32"' in found.fix.edits[0].patch


def test_nothing_is_said_of_services_that_work():
    assert named(healthy(HOST_GW), services) == []
