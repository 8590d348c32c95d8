"""The table of what lines of component logs mean: a pattern, when it counts, and what to do.

The pages of the checks are printed from it (``podpath.checks.host.log_reasons``).
"""

from __future__ import annotations

from typing import NamedTuple

DOWN, NOW = "down", "now"


class Reason(NamedTuple):
    """A row: what a line says, when it counts, and what to do."""

    code: str
    pattern: str
    """A regular expression, searched for in the line without its time."""
    when: str
    """``down``: its Pod is not ready. ``now``: the line is recent, whether its Pod is ready or not."""
    message: str
    """One sentence about the one who said it; ``{who}`` is it, ``{0}`` ``{1}`` are what the pattern caught."""
    cause: str
    fix: str
    steps: tuple[str, ...]
    risk: str
    why: str
    """For the page: why it breaks."""
    confused: str
    """For the page: what looks alike."""
    least: int = 1
    """How many such lines one log must have."""


REASONS = (
    Reason(
        code="dns-loop-detected",
        pattern=r"Loop \((\S+) -> \S*\) detected for zone",
        when=DOWN,
        message="{who} stops: its questions come back to itself",
        cause="the forward target leads back to CoreDNS",
        fix=(
            "give the DNS Pods a resolv.conf without a loopback resolver, or name a real upstream in the "
            "Corefile"
        ),
        steps=(
            (
                "on the node, in the KubeletConfiguration: resolvConf: /run/systemd/resolve/resolv.conf; "
                "systemctl restart kubelet"
            ),
            "kubectl -n kube-system rollout restart deployment coredns",
        ),
        risk="low",
        why=(
            "CoreDNS forwards what it does not know to the resolvers of its own resolv.conf. With "
            "``dnsPolicy: Default`` that is the node's, and a stub such as 127.0.0.53 is CoreDNS itself "
            "inside the Pod. The plugin ``loop`` notices, and ends the process: CrashLoopBackOff."
        ),
        confused="*dns-upstream-unreachable*: questions get lost instead of coming back.",
    ),
    Reason(
        code="coredns-proxy-plugin-removed",
        pattern=r"Unknown directive '(proxy|upstream|resyncperiod)'",
        when=DOWN,
        message="{who} stops: its Corefile has the directive {0}, which CoreDNS no longer knows",
        cause="the directive was removed",
        fix="replace `proxy . X` by `forward . X`, and delete `upstream` and `resyncperiod`",
        steps=(
            "kubectl -n kube-system edit configmap coredns",
            "kubectl -n kube-system rollout restart deployment coredns",
        ),
        risk="low",
        why=(
            "CoreDNS 1.5 removed the plugin ``proxy``, 1.7 the options ``upstream`` and ``resyncperiod``. "
            "A Corefile that still names them does not parse, so an upgraded CoreDNS does not start."
        ),
        confused="*coredns-corefile-invalid*: another error of the same file.",
    ),
    Reason(
        code="coredns-corefile-invalid",
        pattern=(
            r"Corefile:\d+ - Error during parsing: (?!Unknown directive "
            r"'(?:proxy|upstream|resyncperiod)')(.{1,120})"
        ),
        when=DOWN,
        message="{who} stops: its Corefile does not parse ({0})",
        cause="the Corefile does not parse",
        fix="correct the line that it names",
        steps=(
            "kubectl -n kube-system edit configmap coredns",
            "kubectl -n kube-system rollout restart deployment coredns",
        ),
        risk="low",
        why=(
            "CoreDNS reads the whole Corefile before it serves: an unbalanced brace, an unknown plugin or "
            "a zone that is given twice keeps it from starting."
        ),
        confused=(
            "*coredns-reload-failed*: the same mistake while an old CoreDNS still serves with the old file."
        ),
    ),
    Reason(
        code="coredns-reload-failed",
        pattern=r"(?:Corefile changed but reload failed|plugin/reload: .*[Ff]ailed)(.{0,120})",
        when=NOW,
        message="{who} keeps its old configuration: the new Corefile does not load",
        cause="the new Corefile was refused; it will not start with it either",
        fix="correct the Corefile before the Pod restarts",
        steps=("kubectl -n kube-system edit configmap coredns",),
        risk="low",
        why=(
            "The plugin ``reload`` takes a changed Corefile only if it parses. Until then the old one "
            "serves; the next restart of the Pod finds the broken one."
        ),
        confused="*coredns-corefile-invalid*: the process has restarted already, and does not come up.",
    ),
    Reason(
        code="coredns-api-unreachable",
        pattern=(
            r"plugin/kubernetes: .*(?:[Ww]aiting for Kubernetes API|unsynced Kubernetes API"
            r"|dial tcp \S+: (?:i/o timeout|connect: \w[\w ]+))"
        ),
        when=DOWN,
        message="{who} is not ready: it does not reach the API server",
        cause="no answer from the API server",
        fix="cure the way from this Pod to the Service default/kubernetes: the trace shows where it ends",
        steps=("podpath why pod/<this Pod> svc/default/kubernetes:443",),
        risk="low: it only reads",
        why=(
            "The plugin ``kubernetes`` serves cluster names from a copy of Services and EndpointSlices. "
            "Until it has one, CoreDNS is not ready (plugin ``ready``), or answers SERVFAIL."
        ),
        confused="*coredns-rbac-denied*: the API server answers, and says no.",
    ),
    Reason(
        code="netfilter-modules-missing",
        pattern=(
            r"(No chain/target/match by that name|can't initialize iptables table|Couldn't load "
            r"(?:match|target)|Extension \S+ revision \d+ not supported"
            r"|RTNETLINK answers: Operation not supported|ipset \S+: Kernel error received: Invalid argument)"
        ),
        when=NOW,
        message="{who} cannot write its rules: the kernel lacks what they need ({0})",
        cause="a kernel module is missing",
        fix=(
            "load the module that the line names; if the kernel has none, install the one of the full flavour"
        ),
        steps=(
            "on the node: modprobe -a br_netfilter nf_nat xt_set xt_comment xt_mark ip_set vxlan",
            "on the node: apt-get install linux-modules-extra-$(uname -r)     # Debian and Ubuntu",
        ),
        risk="low; another kernel needs a reboot",
        why=(
            "kube-proxy and CNI agents use matches, targets and link kinds that minimal kernels (cloud and "
            "board flavours) leave out. The whole iptables-restore then fails, and no rule is written."
        ),
        confused=(
            "*iptables-nft-version-skew*: the module is there, another version of iptables wrote the rule."
        ),
        least=2,
    ),
    Reason(
        code="conntrack-binary-missing",
        pattern=r'"?conntrack"?: executable file not found|conntrack.{0,40}not found in \$PATH',
        when=NOW,
        message="{who} cannot delete tracked connections: there is no program conntrack",
        cause="stale UDP connections stay when endpoints change",
        fix="install conntrack on the node, or in the image, and restart kube-proxy",
        steps=("on the node: apt-get install conntrack   # or: dnf install conntrack-tools",),
        risk="low",
        why=(
            "After a change of endpoints kube-proxy deletes the tracked UDP connections to the old ones. "
            "Without the program they stay, and clients that reuse their port (DNS) keep talking to nobody."
        ),
        confused="*ct-stale-udp-old-endpoint*: the entry itself, whatever the reason.",
    ),
    Reason(
        code="kube-proxy-api-unreachable",
        pattern=(
            r"^(?!plugin/).*(?:[Ff]ailed to (?:list|watch)|Failed to retrieve node info).*(?:dial tcp (\S+?): "
            r"(?:i/o timeout|connect: \w[\w ]+)|Client\.Timeout|TLS handshake timeout)"
        ),
        when=NOW,
        message="{who} does not hear of changes: it does not reach the API server",
        cause="its copy of Services and endpoints is frozen",
        fix="cure its way to the API server: the address is the one of its kubeconfig",
        steps=("kubectl -n kube-system get configmap kube-proxy -o jsonpath='{{.data.kubeconfig\\.conf}}'",),
        risk="low: it only reads",
        why=(
            "kube-proxy keeps what it knows while it cannot reach the API server: old Services work on, "
            "new and changed ones do not, and endpoints that are gone are still used."
        ),
        confused="*apiserver-down*, *apiserver-firewalled*: why it does not answer.",
        least=2,
    ),
    Reason(
        code="felix-refuses-loose-rpf",
        pattern=r"RPF check is set to 'loose'",
        when=DOWN,
        message="{who} stops: it refuses rp_filter=2",
        cause="net.ipv4.conf.all.rp_filter is 2",
        fix="set rp_filter to 1, or tell Felix that loose is meant, or upgrade Calico to 3.12 or later",
        steps=(
            "on the node: sysctl -w net.ipv4.conf.all.rp_filter=1",
            "kubectl -n kube-system set env daemonset/calico-node FELIX_IGNORELOOSERPF=true",
        ),
        risk="low; strict filtering breaks asymmetric routes",
        why=(
            "Older Felix leans on the kernel's strict reverse path filter against spoofed sources, and "
            "ends where newer distributions set it to loose."
        ),
        confused="*rp-filter-strict-asymmetric*: the strict filter drops packets itself.",
    ),
    Reason(
        code="aws-node-unready-iam",
        pattern=(
            r"Retrying waiting for IPAM-?[dD]|(UnauthorizedOperation|AccessDenied)\b.*(?:ec2|EC2)|Failed "
            r"to call ec2:\w+"
        ),
        when=DOWN,
        message="{who} gives no addresses: its IPAM daemon does not get through to EC2",
        cause=(
            "the role of the node or the ServiceAccount may not call EC2, or the metadata service is not "
            "reached"
        ),
        fix="attach AmazonEKS_CNI_Policy to the role that aws-node uses",
        steps=(
            "aws iam attach-role-policy --role-name <role> --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
            "kubectl -n kube-system rollout restart daemonset aws-node",
        ),
        risk="low",
        why=(
            "The VPC CNI asks EC2 for interfaces and addresses. Without the permission its daemon does not "
            "start, the CNI configuration is not written and the node stays not ready."
        ),
        confused="*subnet-ip-exhausted*: EC2 answers, and has no address left.",
    ),
    Reason(
        code="cloud-credentials-expired",
        pattern=(
            r"(AADSTS\d+|AuthorizationFailed|ExpiredToken|InvalidClientTokenId|invalid_grant|TooManyRequests"
            r"|StatusCode[=:] ?429|googleapi: Error 40[13])"
        ),
        when=NOW,
        message="{who} is refused by the cloud: {0}",
        cause="credentials are expired, not allowed or throttled",
        fix="renew the credentials of the cloud controller (or widen its role), and wait for its next round",
        steps=(
            (
                "az aks update-credentials --reset-service-principal --service-principal <id> "
                "--client-secret <secret>   # Azure"
            ),
        ),
        risk="low",
        why=(
            "The cloud controller makes load balancers, routes and node addresses with credentials of its "
            "own. When the cloud refuses it, nothing existing breaks, and nothing new is made."
        ),
        confused=(
            "*lb-pending-no-controller*, *cloud-route-controller-failed*: what stays undone because of it."
        ),
        least=2,
    ),
    Reason(
        code="kube-proxy-nodeip-loopback",
        pattern=(
            r"invalid nodeIP, initializing kube-proxy with 127\.0\.0\.1|Can't determine this node's IP, "
            r"assuming (?:loopback|127\.0\.0\.1)"
        ),
        when=NOW,
        message="{who} did not find its node's address at its start, and takes 127.0.0.1",
        cause="NodePorts and the health check look at the wrong address",
        fix="restart kube-proxy on this node now that the Node has an address",
        steps=("kubectl -n kube-system delete pod <the kube-proxy Pod of this node>",),
        risk="low: rules stay while it restarts",
        why=(
            "kube-proxy asks for its Node once. If the Node had no address yet, or its name did not match, "
            "it goes on with the loopback address."
        ),
        confused="*kube-proxy-hostname-mismatch*: it looks for a Node of another name.",
    ),
)
"""The table."""
