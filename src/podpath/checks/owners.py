"""Who writes which chains and tables: a rule's owner says whose fault it is, and who would write it again."""

from __future__ import annotations

from typing import NamedTuple


class Owner(NamedTuple):
    """Who writes a chain."""

    name: str
    """As people say it: ``kube-proxy``, ``Docker``."""
    component: str
    """What runs for it on a node (``podpath.checks.steps.components``)."""


KUBE_PROXY = Owner("kube-proxy", "kube-proxy")
KUBELET = Owner("the kubelet", "kubelet")
KUBE_ROUTER = Owner("kube-router", "kube-router")
CALICO = Owner("Calico", "calico")
CILIUM = Owner("Cilium", "cilium")
FLANNEL = Owner("flannel", "flannel")
CNI_PLUGINS = Owner("a CNI plugin", "cni")
WEAVE = Owner("Weave Net", "weave")
IP_MASQ = Owner("ip-masq-agent", "ip-masq-agent")
AWS = Owner("the AWS VPC CNI", "aws-node")
ISTIO = Owner("Istio", "istio")
ANTREA = Owner("Antrea", "antrea")
OVN = Owner("OVN-Kubernetes", "ovn-kubernetes")
AZURE = Owner("Azure NPM", "azure-npm")
SUBMARINER = Owner("Submariner", "submariner")
NODE_LOCAL_DNS = Owner("the node-local DNS cache", "node-local-dns")
DOCKER = Owner("Docker", "docker")
PODMAN = Owner("Podman", "podman")
UFW = Owner("ufw", "ufw")
FIREWALLD = Owner("firewalld", "firewalld")
TAILSCALE = Owner("Tailscale", "tailscale")
LIBVIRT = Owner("libvirt", "libvirt")
FAIL2BAN = Owner("fail2ban", "fail2ban")

CHAINS: tuple[tuple[str, Owner], ...] = (
    ("KUBE-KUBELET-CANARY", KUBELET),
    ("KUBE-IPTABLES-HINT", KUBELET),
    ("KUBE-ROUTER-", KUBE_ROUTER),
    ("KUBE-NWPLCY-", KUBE_ROUTER),
    ("KUBE-POD-FW-", KUBE_ROUTER),
    ("KUBE-", KUBE_PROXY),
    ("cali-", CALICO),
    ("CILIUM_", CILIUM),
    ("OLD_CILIUM_", CILIUM),
    ("FLANNEL-", FLANNEL),
    ("CNI-", CNI_PLUGINS),
    ("WEAVE", WEAVE),
    ("IP-MASQ", IP_MASQ),
    ("AWS-", AWS),
    ("ISTIO_", ISTIO),
    ("ANTREA-", ANTREA),
    ("OVN-KUBE-", OVN),
    ("AZURE-NPM", AZURE),
    ("SUBMARINER-", SUBMARINER),
    ("SM-GN-", SUBMARINER),
    ("DOCKER", DOCKER),
    ("NETAVARK", PODMAN),
    ("ufw-", UFW),
    ("ufw6-", UFW),
    ("ts-", TAILSCALE),
    ("LIBVIRT_", LIBVIRT),
    ("f2b-", FAIL2BAN),
)
"""By the beginning of a chain's name; the first that fits."""

TABLES: tuple[tuple[str, Owner], ...] = (
    ("kube-proxy", KUBE_PROXY),
    ("calico", CALICO),
    ("flannel-ipv", FLANNEL),
    ("cni_", CNI_PLUGINS),
    ("firewalld", FIREWALLD),
    ("docker-bridges", DOCKER),
    ("netavark", PODMAN),
    ("antrea", ANTREA),
    ("ovn-kube", OVN),
    ("f2b-table", FAIL2BAN),
)
"""By the beginning of the name of a native nftables table: all its chains are its owner's."""

POLICY_ENGINES = frozenset({KUBE_ROUTER, CALICO, CILIUM, WEAVE, ANTREA, OVN, AZURE})
"""Those whose chains hold NetworkPolicies."""
CNIS = frozenset({FLANNEL, CALICO, CILIUM, KUBE_ROUTER, CNI_PLUGINS, WEAVE, AWS, ANTREA, OVN})
"""Those that connect Pods, and write rules that let their packets through."""
HOST_SOFTWARE = frozenset({DOCKER, PODMAN, UFW, FIREWALLD, TAILSCALE, LIBVIRT, FAIL2BAN})
"""Those that know nothing of Kubernetes."""


def owner_of(table: str, chain: str) -> Owner | None:
    """Whose chain it is; None for a built-in chain and for any name that nobody is known to use.

    ``table`` is a table's name or its identity (``native/inet/firewalld``).
    """
    backend, _, rest = table.partition("/")
    name = rest.rpartition("/")[2] or backend
    for start, owner in CHAINS:
        if chain.startswith(start):
            return owner
    if rest and backend != "native":
        return None
    return next((owner for start, owner in TABLES if name.startswith(start)), None)
