"""Where a connection ends: at sockets, at sizes, at sources; and the plain answers for all the rest."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from podpath.checks.case import Case
from podpath.checks.registry import explanations, pages
from podpath.checks.steps.plain_words import KINDS
from podpath.model.addr import parse_addr
from podpath.model.edit import InsertRule, apply_edits, table_id
from podpath.model.flow import TCP, UDP, Flow, Packet
from podpath.model.kube.configmap import ConfigMap
from podpath.model.kube.meta import Meta
from podpath.model.linux import netfilter as nl
from podpath.model.linux import xtables as xt
from podpath.model.linux.conntrack import ConntrackEntry, Tuple
from podpath.model.linux.netfilter import Rule
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef, node_netns, pod_netns
from podpath.model.trace import Branch, Disposition, Hop, Step, Symptom, Trace
from tests.checks import cases
from tests.checks.cases import DUAL, HOST_GW, chain, codes, healthy, mended_by, named, the

CLIENT = pod_netns("ops", "client")


def services(one):
    return one.kind == "service"


def sockets(network, app, change):
    """The sockets of all Pods of an application, each as ``change`` makes it; None closes it."""
    for pod in network.cluster.pods.values():
        if pod.meta.labels.get("app") == app:
            known = network.namespaces[pod_netns(*pod.key)].sockets
            network = cases.changed_netns(
                network, pod_netns(*pod.key), sockets=tuple(s for s in map(change, known) if s is not None)
            )
    return network


def moved(port, /, **fields):
    return lambda s: (
        msgspec.structs.replace(s, **fields) if s.port == port and s.state in ("LISTEN", "UNCONN") else s
    )


def hint(network, app, port):
    """The Pods of an application declare a port."""
    pods = dict(network.cluster.pods)
    for key, pod in pods.items():
        if pod.meta.labels.get("app") == app:
            container = pod.spec.containers[0]
            declared = tuple(msgspec.structs.replace(one, container_port=port) for one in container.ports[:1])
            spec = msgspec.structs.replace(
                pod.spec, containers=(msgspec.structs.replace(container, ports=declared),)
            )
            pods[key] = msgspec.structs.replace(pod, spec=spec)
    return cases.with_cluster(network, pods=pods)


# --- sockets --------------------------------------------------------------------------------------------------------


def test_a_service_that_leads_to_another_port_than_the_declared_and_open_one_is_wrong():
    network = hint(sockets(healthy(), "db", moved(5432, port=6543)), "db", 6543)
    db = network.cluster.services["shop", "db"]
    ports = tuple(
        msgspec.structs.replace(one, target_port=5432) for one in db.spec.ports
    )  # a number, not a name
    numbered = msgspec.structs.replace(db, spec=msgspec.structs.replace(db.spec, ports=ports))
    network = cases.with_cluster(network, services={**network.cluster.services, db.key: numbered})
    found = the(named(network, services), "svc-targetport-mismatch")
    assert str(found.subject) == "Service shop/db"
    assert '"targetPort":6543' in found.fix.edits[0].patch
    assert "6543/tcp" in found.message


def test_an_application_that_listens_elsewhere_than_declared_is_wrong_itself():
    found = the(named(sockets(healthy(), "db", moved(5432, port=6543)), services), "container-not-listening")
    assert found.subject.kind == "Pod"
    assert "but on 6543/tcp" in found.message


def test_a_port_that_another_service_port_leads_to_is_no_candidate():
    network = sockets(hint(healthy(), "api", 7070), "api", lambda s: None if s.port == 8080 else s)
    assert "svc-targetport-mismatch" not in codes(
        named(network, lambda one: services(one) and "api:http" in one.text)
    )


def test_a_pod_that_listens_nowhere_tells_why_its_container_waits():
    network = sockets(healthy(), "db", lambda _: None)
    pod = cases.pod_of(network, "db")
    status = msgspec.convert(
        {
            "name": "db",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 2}},
        },
        type(pod.status.container_statuses[0]),
    )
    waiting = msgspec.structs.replace(
        pod, status=msgspec.structs.replace(pod.status, container_statuses=(status,))
    )
    network = cases.with_cluster(network, pods={**network.cluster.pods, pod.key: waiting})
    found = the(named(network, services), "container-not-listening")
    assert "CrashLoopBackOff" in found.reason
    assert "exit code 2" in found.reason


def test_the_other_protocol_is_told_apart():
    network = sockets(healthy(), "db", moved(5432, protocol=UDP, state="UNCONN"))
    found = the(named(network, services), "svc-protocol-mismatch")
    assert '"protocol":"UDP"' in found.fix.edits[0].patch


def test_the_loopback_address_is_told_apart():
    network = sockets(healthy(), "db", moved(5432, local=parse_addr("127.0.0.1")))
    found = the(named(network, services), "container-listens-loopback")
    assert "0.0.0.0" in found.fix.summary


def test_another_address_is_told_apart():
    network = sockets(healthy(), "db", moved(5432, local=parse_addr("192.0.2.7")))
    assert codes(named(network, services)) == {"listens-other-address"}


def test_the_other_family_is_told_apart():
    network = sockets(healthy(DUAL), "web", moved(8000, v4=True, v6=False))
    found = the(named(network, lambda one: services(one) and not one.flow.v4), "dualstack-family-mismatch")
    assert "IPv4 only" in found.message


def test_a_full_accept_queue_is_named():
    network = sockets(healthy(), "db", moved(5432, recv_q=129, send_q=128))
    found = the(named(network, services), "listen-overflow")
    assert found.subject.kind == "Pod"
    assert named(sockets(healthy(), "db", moved(5432, recv_q=128, send_q=128)), services) == []


def test_a_redirect_to_a_sidecar_that_is_not_there_is_the_meshs():
    redirect = Rule(
        3,
        "-A ISTIO_OUTPUT -p tcp -j REDIRECT --to-ports 15001",
        (xt.ProtocolMatch(TCP), nl.Redirect((15001, 15001))),
    )
    nat = cases.a_table(
        "nat",
        chain(
            "OUTPUT",
            Rule(2, "-A OUTPUT -j ISTIO_OUTPUT", (nl.Jump("ISTIO_OUTPUT"),)),
            hook="output",
            type="nat",
            priority=-100,
        ),
        chain("ISTIO_OUTPUT", redirect),
        backend="nft",
        family="ip",
    )
    network = cases.changed_netns(healthy(), CLIENT, tables=(nat,))
    found = named(
        network, lambda one: services(one) and one.flow.netns == CLIENT and one.flow.protocol == TCP
    )
    assert codes(found) == {"istio-redirect-no-listener"}
    assert found[0].subject == ObjectRef("Pod", "ops", "client")


def test_an_api_server_that_does_not_listen_is_down():
    slices = dict(healthy().cluster.slices)
    key = ("default", "kubernetes")
    slices[key] = tuple(
        msgspec.structs.replace(
            one,
            endpoints=tuple(
                msgspec.structs.replace(e, addresses_text=("172.30.0.12",)) for e in one.endpoints
            ),
        )
        for one in slices[key]
    )
    found = the(
        named(cases.with_cluster(healthy(), slices=slices), lambda one: one.kind == "api"), "apiserver-down"
    )
    assert str(found.subject) == "Node n2"
    assert found.fix.steps[0].startswith("n2: crictl")


def test_a_node_local_cache_that_does_not_answer_is_named():
    cache = parse_addr("169.254.20.10")
    dummy = msgspec.structs.replace(
        cases.host(healthy(), "n1").links["lo"], name="nodelocaldns", kind="dummy", index=90
    )
    network = cases.with_links(healthy(), "n1", dummy)
    network = cases.address(network, "n1", "nodelocaldns", "169.254.20.10", 32)
    local = cases.a_route("169.254.20.10/32", "nodelocaldns", table="local", type="local")
    network = cases.routes(network, "n1", lambda _: True, local)
    flow = Flow(CLIENT, cache, UDP, 53)
    found = the(
        cases.asked(network, flow, servers=frozenset({(cache, 53)}), kind="dns"), "dns-nodelocal-broken"
    )
    assert str(found.subject) == "Node n1"
    assert "nobody listens there" in found.message


# --- sizes ----------------------------------------------------------------------------------------------------------


def larger_pods(network, mtu=1500):
    """Pods and bridges with a larger MTU than the tunnel."""
    for netns in tuple(network.namespaces.values()):
        links = {
            name: msgspec.structs.replace(link, mtu=mtu)
            if link.kind in ("veth", "bridge") and link.mtu == 1450
            else link
            for name, link in netns.links.items()
        }
        network = cases.changed_netns(network, netns.id, links=links)
    return network


def full(one):
    return one.kind in ("pod", "service") and one.flow.protocol == TCP


def test_larger_pods_than_the_tunnel_are_told_and_recover():
    assert named(larger_pods(healthy()), full) == []


def test_errors_that_never_arrive_are_the_filters_fault():
    network = larger_pods(healthy())
    for node in ("n1", "n2", "n3"):
        network = cases.insert(network, node, "filter", "-A OUTPUT -p icmp -j DROP")
    found = named(network, full)
    assert codes(found) == {"pmtud-icmp-blocked"}
    assert mended_by(found[0]) == {"InsertRule"}
    assert found[0].fix.edits[0].rule.text == "-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j ACCEPT"
    assert found[0].confidence.value == "proven"


def test_a_port_with_a_smaller_mtu_drops_in_silence():
    pod = cases.pod_of(healthy(), "api", "n1")
    port = healthy().peers[pod_netns(*pod.key), "eth0"][1]
    flow = Flow(CLIENT, pod.ips[0], UDP, 9090, size=1400)
    found = cases.asked(cases.link(healthy(), "n1", port, mtu=1280), flow)
    assert codes(found) == {"pod-mtu-of-port-smaller"}
    assert found[0].confidence.value == "proven"


def test_one_nodes_smaller_device_is_unlike_the_others():
    network = cases.link(healthy(), "n2", "flannel.1", mtu=1280)
    network = cases.insert(network, "n2", "filter", "-A OUTPUT -p icmp -j DROP")
    case = a_case("too-big", node_netns("n2"), network, dev="flannel.1")
    assert "1280" in explained("too-big", "mtu-inconsistent-nodes", case).message
    alike = a_case("too-big", node_netns("n1"), healthy(), dev="flannel.1")
    assert explained("too-big", "mtu-inconsistent-nodes", alike) is None


def test_packets_that_do_not_fit_and_are_told_so_are_a_warning():
    network = larger_pods(healthy())
    case = a_case("too-big", node_netns("n1"), network, dev="flannel.1")
    sender = Trace(
        "data",
        (Hop(CLIENT, "", case.trace.packet, ()), *case.trace.hops),
        case.trace.disposition,
        case.trace.packet,
        case.netns.id,
    )
    case = replace(case, branch=msgspec.structs.replace(case.branch, traces=(sender,)))
    said = explained("too-big", "mtu-pod-exceeds-overlay", case)
    assert {edit.change for edit in said.edits[0]} == {"mtu 1450"}


# --- sources --------------------------------------------------------------------------------------------------------


def outward(one):
    return one.kind == "outside" and one.flow.netns.startswith("pod/")


def unmasked(network, node="n1"):
    return cases.delete(network, node, "nat", "-j MASQUERADE")


def test_pods_that_are_not_masqueraded_are_unlike_those_of_other_nodes():
    found = the(
        named(unmasked(cases.delete(healthy(), "n1", "nat", "-j FLANNEL-POSTRTG")), outward),
        "pod-masquerade-missing",
    )
    assert str(found.subject) == "Node n1"
    assert "n2 does it" in found.message
    assert any("MASQUERADE" in line.text for line in found.evidence)
    assert found.confidence.value == "proven"


def test_a_cni_chain_that_nobody_calls_is_called_again():
    found = the(
        named(cases.delete(healthy(), "n1", "nat", "-j FLANNEL-POSTRTG"), outward), "pod-masquerade-missing"
    )
    assert [edit.rule.text for edit in found.fix.edits] == ["-A POSTROUTING -j FLANNEL-POSTRTG"]
    assert found.confidence.value == "proven"


def test_an_unanswered_connection_is_evidence():
    pod = cases.pod_of(healthy(), "client")
    outside = parse_addr("198.51.100.9")
    entry = ConntrackEntry(
        Tuple(TCP, pod.ips[0], outside, 40000, 443),
        Tuple(TCP, outside, pod.ips[0], 443, 40000),
        unreplied=True,
        origin=Origin("nodes/n1/conntrack", 5, "[UNREPLIED]"),
    )
    network = cases.delete(healthy(), "n1", "nat", "-j FLANNEL-POSTRTG")
    network = cases.changed(network, "n1", conntrack=(entry,))
    assert entry.origin in the(named(network, outward), "pod-masquerade-missing").evidence


def agent(network, cidr):
    """ip-masq-agent on n1: what goes to a range is not masqueraded, the rest is."""
    where = cases.table(network, "n1", "nat")
    spared = cases.rule(where, f"-A IP-MASQ -d {cidr} -j RETURN")
    masquerade = cases.rule(where, "-A IP-MASQ -j MASQUERADE")
    network = cases.delete(network, "n1", "nat", "-j FLANNEL-POSTRTG")
    network = cases.with_chains(network, "n1", "nat", chain("IP-MASQ", spared, masquerade))
    return cases.insert(
        network, "n1", "nat", "-A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ", position=99
    )


def test_a_range_that_the_agent_spares_is_taken_out_of_its_list():
    config = ConfigMap(
        meta=Meta(name="ip-masq-agent", namespace="kube-system"),
        data={"config": "nonMasqueradeCIDRs: [203.0.113.0/24]"},
    )
    network = cases.with_cluster(
        agent(healthy(), "203.0.113.0/24"), configmaps={("kube-system", "ip-masq-agent"): config}
    )
    found = the(named(network, outward), "ipmasq-noncovered-cidr")
    assert "203.0.113.0/24" in found.message
    assert mended_by(found) == {"DeleteRule"}
    assert found.confidence.value == "proven"


def test_a_range_that_nobody_asks_is_no_matter():
    assert named(agent(healthy(), "192.0.2.0/24"), outward) == []


def test_a_full_table_of_connections_is_named_by_its_limit():
    network = cases.sysctl(healthy(), "n2", "net.netfilter.nf_conntrack_count", "262144")
    network = cases.sysctl(network, "n2", "net.netfilter.nf_conntrack_max", "262144")
    found = the(named(network, lambda one: one.kind == "pod"), "conntrack-table-full")
    assert {edit.value for edit in found.fix.edits} == {"1048576"}
    assert found.confidence.value == "proven"
    roomy = cases.sysctl(network, "n2", "net.netfilter.nf_conntrack_max", "262145")
    assert named(roomy, lambda one: one.kind == "pod") == []


# --- the plain answers ----------------------------------------------------------------------------------------------


def explained(kind: str, code: str, case: Case) -> Any:
    """What one explanation says of a case."""
    return next(one for one in explanations(kind) if one.code == code).explain(case)


def a_case(kind, netns=None, network=None, **step):
    """A step of a kind, with nothing around it that would give it a name."""
    network = network or healthy()
    netns = netns or node_netns("n1")
    packet = Packet(TCP, parse_addr("10.244.0.4"), parse_addr("10.244.1.3"), 40000, 8080)
    one = Step(
        "test", "what was noted", Origin("nodes/n1/x", 3, "the line"), kind=kind, packet=packet, **step
    )
    trace = Trace("request", (Hop(netns, "cni0", packet, (one,)),), Disposition.NOT_FORWARDED, packet, netns)
    branch = Branch(1.0, (), (trace,), False, Symptom.TIMEOUT)
    flow = Flow(CLIENT, packet.dst, TCP, packet.dport)
    ref = ObjectRef("Pod", "ops", "client")
    promise = Promise("pod", flow, ref, ref, None, "one asks the other")
    return Case(network, network.namespaces[netns], one, trace, branch, promise, (promise,))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_step_has_words(kind):
    plain = explanations(kind)[-1]
    assert (plain.code, plain.specificity) == (f"unnamed-{kind}", 0)
    said = explained(kind, plain.code, a_case(kind))
    assert said.message
    assert said.cause
    assert "{" not in said.message


def test_a_rule_without_a_name_is_deleted():
    network = cases.insert(healthy(), "n1", "filter", "-A FORWARD -j DROP")
    where = cases.table(network, "n1", "filter")
    rule = where.chains["FORWARD"].rules[0]
    case = a_case(
        "rule-drop", network=network, table=table_id(where), chain="FORWARD", hook="forward", rule=rule
    )
    said = explained("rule-drop", "unnamed-rule-drop", case)
    assert "a rule in FORWARD" in said.message
    assert apply_edits(network, said.edits[0]) is not network


def test_a_rule_of_a_component_is_not_deleted():
    where = cases.table(healthy(), "n1", "filter")
    rule = where.chains["KUBE-FORWARD"].rules[0]
    case = a_case("rule-drop", table=table_id(where), chain="KUBE-FORWARD", hook="forward", rule=rule)
    assert explained("rule-drop", "unnamed-rule-drop", case).edits == ()


def test_a_policy_without_a_name_gets_accepts_first():
    where = cases.table(healthy(), "n1", "filter")
    case = a_case("chain-policy-drop", table=table_id(where), chain="FORWARD", hook="forward")
    first, second = explained("chain-policy-drop", "unnamed-chain-policy-drop", case).edits
    assert {type(one) for one in first} == {InsertRule}
    assert second[0].policy == "accept"


@pytest.mark.parametrize("netns", [node_netns("n1"), CLIENT])
def test_no_explanation_fails_on_a_step_that_says_nothing(netns):
    for kind in KINDS:
        for one in explanations(kind):
            one.explain(a_case(kind, netns))
            one.explain(a_case(kind, netns, dev="eth0", key="169.254.1.1"))


def test_every_page_says_why_how_to_see_it_and_what_to_do():
    wanted = ("## Why it breaks", "## See it by hand", "## Fix", "## Often confused with")
    every = {one.code for kind in KINDS for one in explanations(kind)}
    lacking = {
        code: [part for part in wanted if part not in page] for code, page in pages().items() if code in every
    }
    mine = {code: parts for code, parts in lacking.items() if parts and code != "apiserver-down"}
    assert mine == {}


def test_nothing_is_said_of_a_cluster_with_plain_routes_that_works():
    assert named(healthy(HOST_GW), lambda one: one.kind in ("service", "outside")) == []
