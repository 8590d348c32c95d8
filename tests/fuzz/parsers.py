"""The one table of all that reads evidence: how each is called on bytes, what it is fed, what it owes.

``Row.run`` raises for whatever should not be: an exception other than ``ParseError`` (or ``BundleError`` and
``UsageError`` where these are the answer), or a line or an entry that is lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from podpath.model.origin import Unrecognized
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.bridge_link import parse_bridge_link, parse_hairpin_mode
from podpath.parse.bridge_vlan import parse_bridge_vlan
from podpath.parse.cni_conf import parse_cni_conf
from podpath.parse.conntrack import parse_conntrack
from podpath.parse.conntrack_stats import parse_conntrack_stats
from podpath.parse.errors import ParseError
from podpath.parse.flat_yaml import parse_flat_yaml
from podpath.parse.ip_addr import parse_ip_addr
from podpath.parse.ip_link import parse_ip_link
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_nexthop import parse_ip_nexthop
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.iptables_save import parse_iptables_save, scan_unknown
from podpath.parse.klog import parse_log
from podpath.parse.kube_proxy_config import parse_kube_proxy_config
from podpath.parse.kube_proxy_log import parse_kube_proxy_log
from podpath.parse.kubelet_config import parse_kubelet_config
from podpath.parse.nft_json import parse_nft_json
from podpath.parse.node_facts import (
    parse_flannel_subnet_env,
    parse_iptables_version,
    parse_node_facts,
    parse_os_release,
    parse_proxy_healthz,
    parse_selinux,
    parse_uname,
)
from podpath.parse.proc_net import parse_snmp, parse_snmp6, parse_softnet_stat
from podpath.parse.resolv_conf import parse_resolv_conf
from podpath.parse.ss import parse_ss
from podpath.parse.sysctl import parse_sysctl
from podpath.parse.tc import parse_tc_filter, parse_tc_qdisc
from tests.fuzz import cluster, invariants, shared
from tests.fuzz.samples import samples
from tests.parse.nft_samples import every_rule, every_set
from tests.parse.test_nft_fuzz import SAMPLE as NFT_SAMPLE
from tests.parse.test_plain_fuzz import SAMPLES as PLAIN_SAMPLES

FILE = "nodes/n1/f"


class Row(NamedTuple):
    """A parser in the table."""

    name: str
    run: Callable[[bytes], None]
    """Raises when something is wrong."""
    seeds: Callable[[], list[bytes]]
    slow: bool = False
    """Takes a tenth of a second and more."""


def text_of(data: bytes) -> str:
    """A file's text, as ``assemble`` reads it."""
    return data.decode("utf-8", "replace")


def _run(parse: Callable[[str, str], tuple[Any, Any]], check: invariants.Invariant, data: bytes) -> None:
    text = text_of(data)
    try:
        facts, lost = parse(text, FILE)
    except ParseError as error:
        assert str(error).startswith(f"{FILE}:")  # noqa: PT017 - that it is raised is allowed, not demanded
        return
    assert all(isinstance(one, Unrecognized) and one.reason and one.origin.file == FILE for one in lost)
    last = text.count("\n") + 1
    assert all(0 <= one.origin.line <= last for one in lost)
    check(text, facts, lost)


def _seeds(parse: Callable[..., object], patterns: tuple[str, ...], more: tuple[bytes, ...]) -> list[bytes]:
    plain = [sample.encode() for of, sample in PLAIN_SAMPLES if of is parse]
    return [*plain, *more, *(content for _, content in samples(*patterns))] if patterns else [*plain, *more]


def row(
    parse: Callable[[str, str], tuple[Any, Any]],
    check: invariants.Invariant,
    *names: str,
    name: str = "",
    more: tuple[bytes, ...] = (),
) -> Row:
    """A parser of text. ``names`` are those of its files in a node's or Pod's folder."""
    patterns = tuple(f"nodes/{place}{one}" for one in names for place in ("*/pods/*/", "*/"))
    own = name or parse.__name__.removeprefix("parse_")
    return Row(own, partial(_run, parse, check), partial(_seeds, parse, patterns, more))


def _iptables(family: str, text: str, file: str) -> tuple[Any, Any]:
    scan_unknown(text)
    return parse_iptables_save(text, file, backend="nft", family=family)


def _nft(data: bytes) -> None:
    text = text_of(data)
    try:
        found = parse_nft_json(text, FILE)
    except ParseError as error:
        assert str(error).startswith(f"{FILE}:")  # noqa: PT017 - that it is raised is allowed, not demanded
        return
    invariants.nft(text, found)


def _nft_bytes(data: bytes) -> None:
    """With bytes that are no UTF-8, and with a listing: the ruleset stands before a NUL, its listing behind."""
    ruleset, _, listing = data.partition(b"\0")
    try:
        with_listing = parse_nft_json(ruleset, FILE, text_of(listing), "l")
    except ParseError:
        return
    plain = parse_nft_json(ruleset, FILE)
    rules, listed = every_rule(plain), every_rule(with_listing)
    assert len(rules) == len(listed)
    assert [rule.items for rule in rules] == [rule.items for rule in listed]
    assert len(every_set(plain)) == len(every_set(with_listing))


def _nft_pairs() -> list[bytes]:
    texts = [content for _, content in samples("nodes/*/nft-list-ruleset")]
    objects = [content for _, content in samples("nodes/*/nft-list-ruleset.json")]
    pairs = [one + b"\0" + other for one, other in zip(objects, texts, strict=False)]
    return [
        NFT_SAMPLE.encode() + b"\0table inet t {\n\tchain c {\n\t\tct state new accept # handle 3\n\t}\n}\n",
        *pairs,
    ]


FACTS = ("uname", "os-release", "selinux", "iptables-version", "proxy-healthz", "flannel-subnet.env")


def _node_facts(data: bytes) -> None:
    files = {f"nodes/n1/{path}": text_of(content) for path, content in cluster.sections(data).items()}
    _, lost = parse_node_facts(files)
    assert all(one.reason for one in lost)


def _fact_files() -> list[bytes]:
    found = {
        path.rpartition("/")[2]: content for name in FACTS for path, content in samples(f"nodes/*/{name}")
    }
    return [cluster.joined(found)]


def _object_lists() -> list[bytes]:
    lists = [cluster.joined({path: content}) for path, content in samples("api/[a-m]*.json")]
    lists += [cluster.joined({path: content}) for path, content in samples("api/[n-q]*.json")]
    lists += [cluster.joined({path: content}) for path, content in samples("api/[r-z]*.json")]
    mixed = b'{"kind":"List","items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"b"}},{"kind":"Service","apiVersion":"v1","metadata":{"name":"c","namespace":"b"}}]}'
    return [*lists, cluster.joined({"api/all.json": mixed, "api/pods.json": mixed})]


def _redacted() -> list[bytes]:
    patterns = (
        "nodes/*/logs",
        "nodes/*/*.log",
        "nodes/*/kubelet-config.json",
        "api/configmaps.json",
        "api/pods.json",
        "nodes/*/cni-net.d/*",
    )
    found = [content for _, content in samples(*patterns)]
    secrets = b"password: hunter2\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ9.c2ln\n-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n"
    return [bytes([place]) + content for place, content in enumerate([secrets] * 9 + [*found, *found])]


MANIFEST = (
    b'{"schema":"podpath.bundle/v1","tool_version":"1","created":"2026-11-25T01:46:31Z","cluster":"c",'
    b'"sources":{"nodes/n1/ss":{"asked":"ss","exit_status":1,"seconds":0.5,"bytes":7,"error":"x"}}}'
)
IPTABLES_S = b"-P INPUT DROP\n-N KUBE-A\n-A INPUT -p tcp -j KUBE-A\n-I INPUT 2 -s 10.0.0.0/8 -j ACCEPT\n"
SNMP_TWICE = b"Ip: A B\nIp: 1 2\nTcp: A\nTcp: -1\n"
QDISC = (
    b'[{"kind":"tbf","handle":"1:","dev":"e","root":true,"options":{"rate":1,"x":{"y":{"z":2}}},"drops":1}]'
)

WHOLE_BUNDLES = {
    "network": cluster.IPTABLES,
    "network_nft": cluster.NFTABLES,
    "network_policies": cluster.POLICIES,
}

ROWS: tuple[Row, ...] = (
    row(parse_ip_link, invariants.a_fact_an_entry, "ip-link.json"),
    row(parse_ip_addr, invariants.addresses, "ip-addr.json"),
    row(parse_ip_route, invariants.a_fact_an_entry, "ip-route.json", "ip-route6.json"),
    row(parse_ip_rule, invariants.a_fact_an_entry, "ip-rule.json", "ip-rule6.json"),
    row(parse_ip_neigh, invariants.a_fact_an_entry, "ip-neigh.json"),
    row(parse_ip_nexthop, invariants.a_name_an_entry("id", skipped="fdb"), "ip-nexthop.json"),
    row(parse_bridge_link, invariants.a_name_an_entry("ifname"), "bridge-link.json"),
    row(parse_bridge_fdb, invariants.a_fact_an_entry, "bridge-fdb.json"),
    row(parse_bridge_vlan, invariants.a_name_an_entry("ifname"), "bridge-vlan.json"),
    row(parse_hairpin_mode, invariants.a_fact_a_line(), "hairpin_mode"),
    row(parse_tc_qdisc, invariants.a_fact_an_entry, "qdisc.json", more=(QDISC,)),
    row(parse_tc_filter, invariants.tc_filters, "tc-filter"),
    row(parse_sysctl, invariants.sysctl, "sysctl"),
    row(parse_ss, invariants.ss, "ss"),
    row(
        parse_conntrack,
        invariants.a_fact_a_line(r"conntrack v\S+ .*flow entries have been shown\..*"),
        "conntrack",
    ),
    row(parse_conntrack_stats, invariants.a_fact_a_line(), "conntrack-stats"),
    row(parse_snmp, invariants.snmp, "snmp", "netstat", more=(SNMP_TWICE,)),
    row(parse_snmp6, invariants.snmp6),
    row(parse_softnet_stat, invariants.a_fact_a_line(), "softnet_stat"),
    row(parse_resolv_conf, invariants.resolv_conf, "resolv.conf"),
    row(
        partial(_iptables, "ip"),
        invariants.iptables,
        "iptables-nft-save",
        name="iptables_save",
        more=(IPTABLES_S,),
    ),
    row(partial(_iptables, "ip6"), invariants.iptables, "ip6tables-nft-save", name="ip6tables_save"),
    row(parse_ipset_save, invariants.ipset, "ipset-save"),
    Row(
        "nft_json",
        _nft,
        lambda: [NFT_SAMPLE.encode(), *(one for _, one in samples("nodes/*/nft-list-ruleset.json"))],
    ),
    Row("nft_listing", _nft_bytes, _nft_pairs),
    row(parse_cni_conf, invariants.cni, "cni-net.d/*"),
    row(parse_flat_yaml, invariants.flat_yaml),
    row(parse_kubelet_config, invariants.settings, "kubelet-config.json"),
    row(parse_kube_proxy_config, invariants.settings, "kube-proxy-config.json"),
    row(parse_log, invariants.log, "logs", "*.log"),
    row(parse_kube_proxy_log, invariants.log, "kube-proxy.log"),
    row(parse_uname, invariants.first_line, "uname"),
    row(parse_os_release, invariants.assignments, "os-release"),
    row(parse_selinux, invariants.first_line, "selinux"),
    row(parse_iptables_version, invariants.first_line, "iptables-version"),
    row(parse_proxy_healthz, invariants.first_line, "proxy-healthz"),
    row(parse_flannel_subnet_env, invariants.assignments, "flannel-subnet.env"),
    Row("node_facts", _node_facts, _fact_files),
    Row("shared_rules", shared.rules, lambda: shared.pairs(shared.samples_of("nodes/*/iptables-nft-save"))),
    Row(
        "shared_native",
        shared.native,
        lambda: shared.pairs(shared.samples_of("nodes/*/nft-list-ruleset.json")),
    ),
    Row("shared_entries", shared.entries, lambda: shared.pairs(shared.samples_of("nodes/*/*-[rnf]*.json"))),
    Row("sysctl_file", shared.sysctls, lambda: shared.samples_of("nodes/*/sysctl")),
    Row("kube_lists", cluster.read_objects, _object_lists),
    Row("manifest", cluster.read_manifest, lambda: [MANIFEST]),
    Row("archive", cluster.read_archive, cluster.archive_samples),
    Row("redaction", cluster.redact_all, _redacted),
    Row("flows", cluster.ask_flows, cluster.flow_samples, slow=True),
    Row("both_roads", cluster.take_both_roads, partial(cluster.bundle_samples, cluster.NFTABLES), slow=True),
    *(
        Row(name, partial(cluster.examine_bundle, bundle), partial(cluster.bundle_samples, bundle), slow=True)
        for name, bundle in WHOLE_BUNDLES.items()
    ),
)
BY_NAME = {one.name: one for one in ROWS}
