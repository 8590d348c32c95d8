"""What fuzzing has found: each of these once raised, hung, or lost something without a word."""

import pytest

from podpath.assemble.dump_lines import plain_lines
from podpath.assemble.shared_rules import SharedRules
from podpath.bundle import redact
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.kube_lists import parse_cluster
from podpath.parse.tc import parse_tc_filter
from tests.fuzz.cluster import joined, small_bundle, small_network
from tests.fuzz.parsers import BY_NAME

HUGE = b"9" * 5000
"""More digits than ``int`` takes from a text (4300, since Python 3.11)."""
DEPTHS = range(700, 1050)
"""Around Python's limit of recursion: JSON is still decoded, and what walks through it is not."""


def lists(depth):
    return b"[" * depth + b"1" + b"]" * depth


def objects(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("snmp", b"Ip: A\nIp: " + HUGE),
        ("snmp6", b"Ip6InReceives " + HUGE),
        ("tc_filter", b"filter protocol all pref " + HUGE + b" bpf chain 0 handle 0x1"),
    ],
)
def test_a_number_too_long_for_an_int_is_no_crash(name, data):
    BY_NAME[name].run(data)


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("kube_proxy_config", b"%s"),
        ("kubelet_config", b'{"kubeletconfig":%s}'),
        (
            "nft_json",
            b'{"nftables":[{"set":{"family":"ip","name":"s","table":"t","type":"mark","elem":[%s]}}]}',
        ),
        ("nft_json", b'{"nftables":[{"set":{"family":"ip","name":"s","table":"t","type":{"typeof":%s}}}]}'),
    ],
)
def test_json_as_deep_as_python_follows_is_no_crash(name, frame):
    for depth in DEPTHS:
        BY_NAME[name].run(frame % objects(depth))
        BY_NAME[name].run(frame % lists(depth))


def test_vlans_of_old_versions_as_deep_as_python_follows_are_no_crash():
    for depth in DEPTHS:
        BY_NAME["bridge_vlan"].run(b'{"a":%s}' % lists(depth))


def test_a_manifest_that_is_nested_too_deeply_is_no_crash():
    BY_NAME["manifest"].run(b'{"a":' + lists(5000) + b"}")


def test_flows_that_are_nested_too_deeply_are_no_crash():
    BY_NAME["flows"].run(lists(5000))


def test_redaction_of_what_is_no_json_is_done_once():
    content = b'{"items":[{"data":{"a":""}}],"b":"\xdb"}'  # no secret leaks: what is left to remove is empty
    clean, _ = redact("api/secrets.json", content)
    assert redact("api/secrets.json", clean) == (clean, [])


def test_rules_with_carriage_returns_of_two_nodes_of_a_large_bundle_are_no_crash():
    dumps = {
        path: content for path, content in small_bundle().items() if path.endswith("-save")
    }  # as `kubectl exec -t` gives them
    network = small_network(
        {path: content.replace(b"\n", b"\r\n") for path, content in dumps.items()}, large=True
    )
    assert all(netns.tables is not None for netns in network.namespaces.values())


def test_a_line_that_begins_like_counters_is_left_as_it_is():
    assert plain_lines("*filter\n[-A INPUT -j DROP\nCOMMIT\n")[1] == "[-A INPUT -j DROP"


def test_a_rule_between_tables_is_noted_in_a_large_bundle():
    first = (
        "*filter\n:INPUT ACCEPT [0:0]\n:K - [0:0]\n-A INPUT -j K\nCOMMIT\n*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    )
    second = first.replace("COMMIT\n*nat", "COMMIT\n-A K -j DROP\n*nat")
    rules = SharedRules()
    rules.parsed(first, "a", backend="nft", family="ip")
    tables, lost = rules.parsed(second, "b", backend="nft", family="ip")
    assert tables[0].chains["K"].rules == ()
    assert len(lost) == 1


def test_a_word_that_only_begins_like_a_filter_is_noted():
    line = "filter pr[otocol all pref 1 bpf chain 0 handle 0x1"
    filters, lost = parse_tc_filter(f"{line}\n{line}\n", "f")
    assert (len(filters), len(lost)) == (0, 2)


def test_a_long_line_of_signs_is_no_hang():
    BY_NAME["tc_filter"].run(b"# dev e ingress\n" + b"=" * 60_000)  # took the square of its length


def test_a_damaged_answer_of_kube_proxy_costs_only_itself():
    network = small_network({"nodes/n1/proxy-healthz": b'{"lastUpdated":'})  # raised ParseError
    facts = network.nodes["n1"].facts
    assert facts is not None
    assert (facts.proxy, facts.uname is None) == (None, False)
    assert any(one.origin.file == "nodes/n1/proxy-healthz" for one in network.unrecognized)


def test_an_object_of_another_group_is_kept_though_a_kind_of_ours_has_its_name():
    service = (
        b'{"kind":"Service","apiVersion":"serving.knative.dev/v1","metadata":{"name":"a","namespace":"b"}}'
    )
    BY_NAME["kube_lists"].run(joined({"api/pods.json": b'{"items":[%s]}' % service}))
    cluster, _ = parse_cluster({"api/pods.json": b'{"items":[%s]}' % service})
    assert [one.key for one in cluster.others["services.serving.knative.dev"]] == [("b", "a")]
    assert cluster.services == {}


def test_a_broken_object_on_the_same_line_does_not_hide_another():
    for broken in (b'"\xe0"', b"7"):  # as its name; looking for the other on this line raised
        item = b'{"metadata":{"name":%s,"namespace":""}}'
        BY_NAME["kube_lists"].run(
            joined({"api/pods.json": b'{"items":[%s,%s]}' % (item % broken, item % b'"a"')})
        )


def test_a_set_whose_last_element_is_cut_off_says_that_it_lacks_one():
    sets, lost = parse_ipset_save("create s hash:ip family inet\nadd s 10.0.0.1\nadd s", "f")
    assert sets["s"].unknown
    assert len(lost) == 1
