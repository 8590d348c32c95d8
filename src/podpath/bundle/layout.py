"""The names in a bundle: every source we know, the command that prints it and what it is needed for.

``collect`` reads the commands from here, ``redaction`` how a file is to be cleaned, and the documentation its
table. A file with another name is still part of a bundle: it is kept, and redacted as free text.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

MANIFEST = "manifest.json"
OBSERVATIONS = "observations.json"
TRUTH = "truth.json"
API = "api/"
NODES = "nodes/"
PODS = "pods/"
AGAIN = "again/"
"""Under ``nodes/<node>/``: a second sample of the sources that count, some seconds after the first."""


class Source(NamedTuple):
    """A file of a node or of a Pod's network namespace.

    ``name`` is relative to ``nodes/<node>/`` (or to the Pod's folder); a ``*`` in it stands for what differs between
    nodes. ``free_text`` says that people or programs write prose or configuration in it, so that a secret may
    stand behind a name such as ``password``; what the kernel prints has no such names.
    """

    name: str
    command: str
    needed_for: str
    free_text: bool = False


NODE_SOURCES = (
    Source("ip-link.json", "ip -d -s -j link show", "links, MTU, tunnels, counters"),
    Source("ip-addr.json", "ip -j addr show", "own addresses"),
    Source("ip-route.json", "ip -d -j -4 route show table all", "IPv4 routes"),
    Source("ip-route6.json", "ip -d -j -6 route show table all", "IPv6 routes"),
    Source("ip-rule.json", "ip -j -4 rule show", "IPv4 policy routing"),
    Source("ip-rule6.json", "ip -j -6 rule show", "IPv6 policy routing"),
    Source("ip-nexthop.json", "ip -j nexthop show", "routes by next-hop id"),
    Source("ip-neigh.json", "ip -j neigh show", "link-layer addresses of next hops"),
    Source("bridge-fdb.json", "bridge -j fdb show", "where a tunnel or bridge sends a frame"),
    Source("bridge-link.json", "bridge -d -j link show", "hairpin, isolation, state of bridge ports"),
    Source("bridge-vlan.json", "bridge -j vlan show", "VLAN filtering"),
    Source(
        "hairpin_mode",
        "grep -H . /sys/class/net/*/brport/hairpin_mode",
        "hairpin, where bridge(8) is missing",
    ),
    Source("iptables-save", "iptables-save -c", "rules, where the two below are missing"),
    Source("iptables-nft-save", "iptables-nft-save -c", "IPv4 rules held by nf_tables"),
    Source("iptables-legacy-save", "iptables-legacy-save -c", "IPv4 rules held by x_tables"),
    Source("ip6tables-nft-save", "ip6tables-nft-save -c", "IPv6 rules held by nf_tables"),
    Source("ip6tables-legacy-save", "ip6tables-legacy-save -c", "IPv6 rules held by x_tables"),
    Source("iptables-version", "iptables --version", "which back end a bare iptables writes to"),
    Source("ip_tables_names", "cat /proc/net/ip_tables_names", "whether x_tables is in use at all"),
    Source("nft-list-ruleset.json", "nft -j list ruleset", "native nftables rules"),
    Source("nft-list-ruleset", "nft list ruleset", "the same, as people read them"),
    Source("ipset-save", "ipset save", "sets that rules match on"),
    Source("ipvsadm", "ipvsadm-save -n", "Services of kube-proxy in IPVS mode"),
    Source("conntrack", "conntrack -L -o extended", "connections that are translated already"),
    Source("conntrack-stats", "conntrack -S", "insertions that failed, table full"),
    Source("sysctl", "sysctl -a", "forwarding, rp_filter, bridge-nf, limits"),
    Source("ss", "ss -tuanpemiO", "who listens where, queues"),
    Source("snmp", "cat /proc/net/snmp", "IP, TCP and UDP counters"),
    Source("netstat", "cat /proc/net/netstat", "listen overflows, rp_filter drops"),
    Source("softnet_stat", "cat /proc/net/softnet_stat", "packets dropped before the stack"),
    Source("qdisc.json", "tc -s -j qdisc show", "drops of queues, clsact"),
    Source("tc-filter", "tc filter show", "programs and actions on links"),
    Source("bpftool-net", "bpftool net show", "eBPF programs that we cannot follow"),
    Source("ethtool-*", "ethtool -k, -i and -S of a link", "offloads, driver, driver counters"),
    Source("wg-show", "wg show all dump", "WireGuard peers and their ranges"),
    Source("xfrm-policy", "ip xfrm policy show", "what IPsec takes"),
    Source("xfrm-state", "ip xfrm state show", "with whom IPsec speaks"),
    Source("resolv.conf", "cat /etc/resolv.conf", "resolvers of the node and of dnsPolicy: Default"),
    Source("cni-net.d/*", "cat /etc/cni/net.d/*", "which CNI attaches Pods, and how", free_text=True),
    Source("cni-leases", "grep -r . /var/lib/cni/networks", "addresses that host-local has given"),
    Source(
        "flannel-subnet.env", "cat /run/flannel/subnet.env", "flannel's own ranges and MTU", free_text=True
    ),
    Source(
        "kubelet-config.json", "kubelet's /configz", "clusterDNS, hairpinMode, resolvConf", free_text=True
    ),
    Source(
        "kube-proxy-config.json", "kube-proxy's configuration", "mode, clusterCIDR, nodePorts", free_text=True
    ),
    Source("kube-proxy.log", "kube-proxy's log", "why rules are not written", free_text=True),
    Source("proxy-healthz", "curl 127.0.0.1:10256/healthz", "whether kube-proxy lives", free_text=True),
    Source("logs", "journalctl -u kubelet -u containerd", "complaints", free_text=True),
    Source("dmesg", "dmesg -T", "table full, martians, drivers", free_text=True),
    Source("selinux", "getenforce", "whether SELinux may deny"),
    Source("uname", "uname -a", "the kernel's version"),
    Source("os-release", "cat /etc/os-release", "the distribution"),
    Source("*.err", "standard error of the command of that name", "why a source is missing", free_text=True),
)
"""Under ``nodes/<node>/``."""

POD_SOURCES = (
    *(
        source
        for source in NODE_SOURCES
        if source.name
        in {
            "ip-link.json", "ip-addr.json", "ip-neigh.json", "ip-route.json", "ip-route6.json", "ip-rule.json",
            "ip-rule6.json", "iptables-save", "nft-list-ruleset.json", "ss", "sysctl", "snmp", "netstat",
            "resolv.conf", "*.err",
        }
    ),
    Source("logs", "kubectl logs --all-containers", "complaints of DNS and CNI Pods", free_text=True),
    Source("logs-previous", "kubectl logs --previous", "why the last run ended", free_text=True),
)  # fmt: skip
"""Under ``nodes/<node>/pods/<namespace>.<pod>/``, printed inside the Pod's network namespace."""

AGAIN_SOURCES = (
    "snmp", "netstat", "conntrack-stats", "ip-link.json", "softnet_stat", "qdisc.json", "iptables-nft-save",
    "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save", "nft-list-ruleset.json",
)  # fmt: skip
"""What is sampled twice, under ``nodes/<node>/again/``: one sample of a counter proves nothing."""

API_KINDS = {
    "nodes": "addresses, podCIDRs, conditions",
    "pods": "addresses, labels, ports, where they run",
    "namespaces": "labels that policies select by",
    "services": "what is promised to clients",
    "endpoints": "hand-written backends",
    "endpointslices.discovery.k8s.io": "backends",
    "networkpolicies.networking.k8s.io": "what is to be denied",
    "ingresses": "names and paths from outside",
    "ingressclasses": "whose Ingress it is",
    "deployments.apps": "templates behind Services",
    "replicasets.apps": "templates behind Services",
    "daemonsets.apps": "CNI, kube-proxy, DNS and their options",
    "statefulsets.apps": "templates behind Services",
    "configmaps": "Corefile, kube-proxy, flannel, Calico",
    "events": "complaints",
    "leases": "who leads, which nodes live",
    "serviceaccounts": "who asks the API",
    "roles": "what is permitted",
    "rolebindings": "to whom it is permitted",
    "clusterroles": "what is permitted",
    "clusterrolebindings": "to whom it is permitted",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": "whom the API server must reach",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": "whom the API server must reach",
    "apiservices.apiregistration.k8s.io": "whom the API server must reach",
    "servicecidrs.networking.k8s.io": "the range of virtual addresses",
    "ippools.crd.projectcalico.org": "the ranges of Pods",
    "version": "the version of the API server",
}
"""Under ``api/``, each with ``.json``: the plural, a dot and the API group; other kinds (custom ones) may be there."""

_EXACT = {source.name: source for source in NODE_SOURCES}
_PATTERNS = tuple(source for source in NODE_SOURCES if "*" in source.name)
_POD_EXACT = {source.name: source for source in POD_SOURCES}


def node_source(name: str) -> Source | None:
    """The source of a path under ``nodes/<node>/`` (``ss``, ``again/snmp``, ``cni-net.d/10-x.conflist``), or None."""
    name = name.removeprefix(AGAIN)
    return _EXACT.get(name) or next((source for source in _PATTERNS if fnmatchcase(name, source.name)), None)


def pod_source(name: str) -> Source | None:
    """The source of a file name in a Pod's folder, or None if we do not know it."""
    return _POD_EXACT.get(name) or (_POD_EXACT["*.err"] if name.endswith(".err") else None)


def source_of(path: str) -> Source | None:
    """The source of a path in the bundle, or None if it is no node's file or one that we do not know."""
    parts = path.split("/", 4)
    if len(parts) < 3 or parts[0] != "nodes":
        return None
    if parts[2] == "pods":
        return pod_source(parts[4]) if len(parts) == 5 else None
    return node_source("/".join(parts[2:]))
