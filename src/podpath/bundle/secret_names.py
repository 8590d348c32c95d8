"""Tables of redaction: which names stand before a secret, and which values the network's diagnosis needs."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = (
    r"token|passw(?:or)?d|passphrase|(?<=[_.-])pass|pwd|psk|secret|credential"
    r"|(?:api|access|secret|private|client|shared|preshared|auth|encryption|signing|master|account|ssh)[-_. ]?key"
    r"|(?:client[-_]?(?:key|certificate)|token|password|secret)[-_]?data"
)
SECRET_WORD = rf"(?:(?:{_WORDS})s?)"
"""What the name of a secret ends with; a regular expression without groups, to be matched in either case.

What only begins so is no secret: ``tokenFile``, ``tlsPrivateKeyFile`` and ``secretName`` say where one is."""

HINTS = (b"token", b"pass", b"pwd", b"psk", b"secret", b"credential", b"key", b"certificate")
"""One of these is in every name that ``SECRET_WORD`` matches; lower case."""

LONG_KEY = (
    r"(?:[0-9a-fA-F]{32,}"
    r"|(?-i:(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[a-z])(?=[A-Za-z0-9+/_-]*[0-9])[A-Za-z0-9+/_-]{32,})={0,2})"
)
"""Hexadecimal, or base64 of mixed case with a digit, as keys are printed: at least 128 bits."""

_SECRET_NAME = re.compile(rf"{SECRET_WORD}\Z", re.IGNORECASE)
NOT_PUBLIC_KEY = r"(?<!public)(?<!public[-_ ])(?<!pub)(?<!pub[-_])key"
_SECRET_INSIDE = re.compile(rf"token|passw|secret|credential|{NOT_PUBLIC_KEY}", re.IGNORECASE)
_LONG = re.compile(rf"{LONG_KEY}\Z")


@lru_cache(maxsize=1 << 14)
def names_secret(name: str) -> bool:
    """Whether what has this name (a flag, a field, a variable) is a secret: ``--bind-password``, ``clientSecret``."""
    return _SECRET_NAME.search(name) is not None


def long_secret(name: str, value: str) -> bool:
    """Whether the value looks like a key and its name speaks of one (a public key is no secret)."""
    return _SECRET_INSIDE.search(name) is not None and _LONG.match(value.strip()) is not None


_ENV_KEPT = re.compile(
    r"KUBERNETES_(?:SERVICE|PORT).*|FLANNEL.*|CALICO_.*|FELIX_.*|IP6?|IP6?_AUTODETECTION_METHOD|CLUSTER_(?:CIDR|TYPE)"
    r"|CNI_.*|CILIUM_.*|KUBE_(?:ROUTER|OVN|PROXY)_.*|ANTREA_.*|WEAVE_.*|IPALLOC_RANGE|AWS_VPC_.*|ENABLE_.*|WARM_.*"
    r"|DISABLE_TCP_EARLY_DEMUX|DATASTORE_TYPE|NODE_?NAME|NODE_IPS?|HOST_IPS?|POD_IPS?|POD_NAME(?:SPACE)?"
    r"|SERVICE_CIDRS?|(?:HTTPS?|NO|ALL)_PROXY|(?:https?|no|all)_proxy|.*_(?:CIDRS?|MTU)",
)
_ENV_NEVER_KEPT = re.compile(r"PASS|TOKEN|KEY|SECRET|CREDENTIAL|PSK|CERT", re.IGNORECASE)


def env_is_needed(name: str) -> bool:
    """Whether the network's diagnosis needs the value of an environment variable; all others are removed."""
    return _ENV_KEPT.fullmatch(name) is not None and not _ENV_NEVER_KEPT.search(name)


NEVER_KEPT_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
"""The whole object once more, with what we remove from it."""

LARGE_ANNOTATION = 1024
"""Characters."""
_KNOWN_DOMAINS = (
    "kubernetes.io", "k8s.io", "k8s.cni.cncf.io", "v1.cni.cncf.io", "projectcalico.org", "coreos.com", "cilium.io",
    "kube-router.io", "ovn.org", "antrea.io", "submariner.io", "metallb.universe.tf", "metallb.io", "openshift.io",
    "istio.io", "linkerd.io", "gke.io", "google.com", "amazonaws.com", "azure.com", "weave.works",
)  # fmt: skip


def annotation_is_known(name: str) -> bool:
    """Whether an annotation belongs to Kubernetes or to a program of the network, which may say much in it."""
    domain, slash, _ = name.partition("/")
    return bool(slash) and any(domain == known or domain.endswith("." + known) for known in _KNOWN_DOMAINS)


_CONFIG_KEYS = frozenset({
    "Corefile", "NodeLocal", "stubDomains", "upstreamNameservers", "config.conf", "kubeconfig.conf", "net-conf.json",
    "cni-conf.json", "cni_network_config", "calico_backend", "veth_mtu", "typha_service_name", "cluster_type",
    "ClusterConfiguration", "kubelet", "antrea-agent.conf", "antrea-cni.conflist", "ip-masq-agent",
})  # fmt: skip
_CONFIG_MAPS = frozenset({
    "ip-masq-agent", "ip-masq-agent-config", "cilium-config", "coredns-custom", "cluster-info", "kube-router-cfg",
    "calico-config", "canal-config", "kubernetes-services-endpoint", "kube-proxy", "amazon-vpc-cni", "node-local-dns",
    "kube-dns", "tcp-services", "udp-services",
})  # fmt: skip


def config_is_needed(config_map: str, key: str) -> bool:
    """Whether the network's diagnosis needs a value of a ConfigMap; all others are removed."""
    if key.startswith("jws-kubeconfig-") or names_secret(key):  # a signature made with a bootstrap token
        return False
    return key in _CONFIG_KEYS or config_map in _CONFIG_MAPS
