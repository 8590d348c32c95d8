"""The rules that kube-proxy 1.36 writes for some Services, for iptables and for nftables, on one node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Backend(NamedTuple):
    """An endpoint."""

    ip: str
    port: int
    node: str


class Service(NamedTuple):
    """One port of a Service."""

    name: str
    ip: str
    port: int
    backends: tuple[Backend, ...] = ()
    protocol: str = "tcp"
    node_port: int = 0
    local: bool = False
    """externalTrafficPolicy: Local."""
    internal_local: bool = False
    """internalTrafficPolicy: Local."""
    balancer: str = ""
    ranges: tuple[str, ...] = ()
    sticky: bool = False


class Proxy(NamedTuple):
    """kube-proxy on one node."""

    node: str
    node_ip: str
    pod_cidr: str
    services: tuple[Service, ...]
    masquerade_mark: str = "0x4000"

    @property
    def v6(self) -> bool:
        """The family of its rules."""
        return ":" in self.node_ip

    def local(self, service: Service) -> tuple[Backend, ...]:
        """The endpoints on this node."""
        return tuple(backend for backend in service.backends if backend.node == self.node)

    def inside(self, service: Service) -> tuple[Backend, ...]:
        """Whom the cluster address leads to."""
        return self.local(service) if service.internal_local else service.backends

    def outside(self, service: Service) -> tuple[Backend, ...]:
        """Whom node ports and balancers lead to."""
        return self.local(service) if service.local else service.backends


# --- iptables ---------------------------------------------------------------------------------------------------------


def iptables(proxy: Proxy) -> str:
    """What ``iptables-restore`` takes."""
    nat, chains = list(_nat(proxy)), {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"}
    chains |= {line.split()[1] for line in nat if line.startswith("-A KUBE-")}
    lines = ["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT"]
    lines += [
        f":{chain} -"
        for chain in (
            "KUBE-SERVICES",
            "KUBE-EXTERNAL-SERVICES",
            "KUBE-FORWARD",
            "KUBE-FIREWALL",
            "KUBE-PROXY-FIREWALL",
        )
    ]
    lines += [
        *_filter(proxy),
        "COMMIT",
        "*nat",
        ":PREROUTING ACCEPT",
        ":INPUT ACCEPT",
        ":OUTPUT ACCEPT",
        ":POSTROUTING ACCEPT",
    ]
    return "\n".join([*lines, *(f":{chain} -" for chain in sorted(chains)), *nat, "COMMIT", ""])


def _where(service: Service, ip: str) -> str:
    return f"-d {ip} -p {service.protocol} -m {service.protocol} --dport {service.port}"


def _filter(proxy: Proxy) -> Iterator[str]:
    reject = "icmp6-port-unreachable" if proxy.v6 else "icmp-port-unreachable"
    for hook in ("INPUT", "FORWARD", "OUTPUT"):
        yield f"-A {hook} -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL"
    yield "-A FORWARD -j KUBE-FORWARD"
    for hook in ("FORWARD", "OUTPUT"):
        yield f"-A {hook} -m conntrack --ctstate NEW -j KUBE-SERVICES"
    for hook in ("INPUT", "FORWARD"):
        yield f"-A {hook} -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES"
    if not proxy.v6:
        for hook in ("INPUT", "OUTPUT"):
            yield f"-A {hook} -j KUBE-FIREWALL"
        yield "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    yield "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
    yield f"-A KUBE-FORWARD -m mark --mark {proxy.masquerade_mark}/{proxy.masquerade_mark} -j ACCEPT"
    yield "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    for service in proxy.services:
        nobody = f"REJECT --reject-with {reject}" if not service.backends else "DROP"
        if not proxy.inside(service):
            yield f'-A KUBE-SERVICES -m comment --comment "{service.name} has no endpoints" {_where(service, service.ip)} -j {nobody}'
        if not proxy.outside(service) and service.node_port:
            yield (
                f'-A KUBE-EXTERNAL-SERVICES -m comment --comment "{service.name} has no endpoints" -m addrtype --dst-type LOCAL '
                f"-p {service.protocol} -m {service.protocol} --dport {service.node_port} -j {nobody}"
            )
        if not proxy.outside(service) and service.balancer:
            yield f"-A KUBE-EXTERNAL-SERVICES {_where(service, service.balancer)} -j {nobody}"
        if service.ranges:
            yield f"-A KUBE-PROXY-FIREWALL {_where(service, service.balancer)} -j DROP"


def _nat(proxy: Proxy) -> Iterator[str]:
    mark = proxy.masquerade_mark
    yield "-A PREROUTING -j KUBE-SERVICES"
    yield "-A OUTPUT -j KUBE-SERVICES"
    yield "-A POSTROUTING -j KUBE-POSTROUTING"
    yield f"-A KUBE-MARK-MASQ -j MARK --set-xmark {mark}/{mark}"
    yield f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN"
    yield f"-A KUBE-POSTROUTING -j MARK --set-xmark {mark}/0x0"
    yield "-A KUBE-POSTROUTING -j MASQUERADE --random-fully"
    for service in proxy.services:
        yield from _service(proxy, service)
    yield "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"


def _service(proxy: Proxy, service: Service) -> Iterator[str]:
    name, external = service.name.upper(), f"KUBE-EXT-{service.name.upper()}"
    inside = f"KUBE-{'SVL' if service.internal_local else 'SVC'}-{name}"
    outward = f"KUBE-{'SVL' if service.local else 'SVC'}-{name}"
    if proxy.inside(service):
        yield f"-A KUBE-SERVICES {_where(service, service.ip)} -j {inside}"
    if service.balancer and service.backends:
        yield f"-A KUBE-SERVICES {_where(service, service.balancer)} -j {'KUBE-FW-' + name if service.ranges else external}"
    for source in service.ranges:
        yield f"-A KUBE-FW-{name} -s {source} -j {external}"
    if service.node_port and service.backends:
        yield f"-A KUBE-NODEPORTS -p {service.protocol} -m {service.protocol} --dport {service.node_port} -j {external}"
    if service.node_port or service.balancer:
        if service.local:
            yield f"-A {external} -s {proxy.pod_cidr} -j KUBE-SVC-{name}"
            yield f"-A {external} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
            yield f"-A {external} -m addrtype --src-type LOCAL -j KUBE-SVC-{name}"
        else:
            yield f"-A {external} -j KUBE-MARK-MASQ"
        if proxy.outside(service):
            yield f"-A {external} -j {outward}"
    if service.backends:
        yield f"-A KUBE-SVC-{name} ! -s {proxy.pod_cidr} {_where(service, service.ip)} -j KUBE-MARK-MASQ"
        yield from _choose(f"KUBE-SVC-{name}", service, service.backends)
    if service.local or service.internal_local:
        yield from _choose(f"KUBE-SVL-{name}", service, proxy.local(service))
    for number, backend in enumerate(service.backends):
        at = f"[{backend.ip}]:{backend.port}" if proxy.v6 else f"{backend.ip}:{backend.port}"
        yield f"-A KUBE-SEP-{name}-{number} -s {backend.ip} -j KUBE-MARK-MASQ"
        recent = f"-m recent --set --name KUBE-SEP-{name}-{number} --rsource " if service.sticky else ""
        yield f"-A KUBE-SEP-{name}-{number} {recent}-p {service.protocol} -m {service.protocol} -j DNAT --to-destination {at}"


def _choose(chain: str, service: Service, among: Sequence[Backend]) -> Iterator[str]:
    targets = [f"KUBE-SEP-{service.name.upper()}-{service.backends.index(backend)}" for backend in among]
    for target in targets if service.sticky else ():
        yield f"-A {chain} -m recent --name {target} --rcheck --seconds 10800 --reap --rsource -j {target}"
    for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
        chance = f"-m statistic --mode random --probability {1 / left:.11f} " if left > 1 else ""
        yield f"-A {chain} {chance}-j {target}"


# --- nftables ---------------------------------------------------------------------------------------------------------


def nftables(proxy: Proxy) -> str:
    """What ``nft -f`` takes: kube-proxy's own table."""
    ip = "ip6" if proxy.v6 else "ip"
    mark = proxy.masquerade_mark
    services = proxy.services
    body = [
        f"set cluster-ips {{ type {_type(proxy)} ; {_elements(sorted({s.ip for s in services}))} }}",
        f"set nodeport-ips {{ type {_type(proxy)} ; elements = {{ {proxy.node_ip} }} }}",
        f"map service-ips {{ type {_type(proxy)} . inet_proto . inet_service : verdict ; {_elements(list(_service_ips(proxy)))} }}",
        f"map service-nodeports {{ type inet_proto . inet_service : verdict ; {_elements(list(_node_ports(proxy)))} }}",
        f"map no-endpoint-services {{ type {_type(proxy)} . inet_proto . inet_service : verdict ; {_elements(list(_nobody(proxy)))} }}",
        f"map no-endpoint-nodeports {{ type inet_proto . inet_service : verdict ; {_elements(list(_nobody_ports(proxy)))} }}",
        f"map firewall-ips {{ type {_type(proxy)} . inet_proto . inet_service : verdict ; {_elements(list(_firewalls(proxy)))} }}",
        f"set hairpin-connections {{ type {_type(proxy)} . {_type(proxy)} . inet_proto . inet_service ; {_elements(list(_hairpins(proxy)))} }}",
    ]
    chains = {
        "reject-chain": ["reject"],
        "mark-for-masquerade": [f"mark set mark or {mark}"],
        "masquerading": [
            f"mark and {mark} != 0 mark set mark xor {mark} masquerade fully-random",
            f"ct status dnat {ip} saddr . {ip} daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random",
        ],
        "cluster-ips-check": [
            f"{ip} daddr @cluster-ips reject",
            f"{ip} daddr {SERVICE_CIDRS[proxy.v6]} drop",
        ],
        "nodeport-endpoints-check": [
            f"{ip} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports"
        ],
        "service-endpoints-check": [f"{ip} daddr . meta l4proto . th dport vmap @no-endpoint-services"],
        "firewall-check": [f"{ip} daddr . meta l4proto . th dport vmap @firewall-ips"],
        "services": [
            f"{ip} daddr @cluster-ips {ip} saddr != {proxy.pod_cidr} jump mark-for-masquerade",
            f"{ip} daddr . meta l4proto . th dport vmap @service-ips",
            f"{ip} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports",
        ],
        "filter-prerouting-pre-dnat": [
            "type filter hook prerouting priority -110 ; policy accept ;",
            "ct state new jump firewall-check",
        ],
        "filter-output-pre-dnat": [
            "type filter hook output priority -110 ; policy accept ;",
            "ct state new jump firewall-check",
        ],
        "filter-input": [
            "type filter hook input priority 0 ; policy accept ;",
            "ct state new jump nodeport-endpoints-check",
            "ct state new jump service-endpoints-check",
        ],
        "filter-forward": [
            "type filter hook forward priority 0 ; policy accept ;",
            "ct state new jump service-endpoints-check",
            "ct state new jump cluster-ips-check",
        ],
        "filter-output": [
            "type filter hook output priority 0 ; policy accept ;",
            "ct state new jump service-endpoints-check",
            "ct state new jump cluster-ips-check",
        ],
        "nat-prerouting": ["type nat hook prerouting priority -100 ; policy accept ;", "jump services"],
        "nat-output": ["type nat hook output priority -100 ; policy accept ;", "jump services"],
        "nat-postrouting": ["type nat hook postrouting priority 100 ; policy accept ;", "jump masquerading"],
    }
    for service in services:
        chains |= _chains(proxy, service)
    declared = "\n".join(
        f"chain {name} {{ }}" for name, rules in chains.items() if not rules or "hook" not in rules[0]
    )
    filled = "\n".join(f"chain {name} {{\n" + "\n".join(rules) + "\n}" for name, rules in chains.items())
    return f"table {ip} kube-proxy {{\n{declared}\n" + "\n".join(body) + f"\n{filled}\n}}\n"


SERVICE_CIDRS = ("10.96.0.0/12", "fd96::/112")


def _type(proxy: Proxy) -> str:
    return "ipv6_addr" if proxy.v6 else "ipv4_addr"


def _elements(elements: list[str]) -> str:
    return f"elements = {{ {', '.join(elements)} }}" if elements else ""


def _service_ips(proxy: Proxy) -> Iterator[str]:
    for s in proxy.services:
        if proxy.inside(s):
            yield f"{s.ip} . {s.protocol} . {s.port} : goto {'local' if s.internal_local else 'service'}-{s.name}"
        if s.balancer and s.backends:
            yield f"{s.balancer} . {s.protocol} . {s.port} : goto external-{s.name}"


def _node_ports(proxy: Proxy) -> Iterator[str]:
    yield from (
        f"{s.protocol} . {s.node_port} : goto external-{s.name}"
        for s in proxy.services
        if s.node_port and s.backends
    )


def _nobody(proxy: Proxy) -> Iterator[str]:
    for s in proxy.services:
        verdict = "drop" if s.backends else "goto reject-chain"
        if not proxy.inside(s):
            yield f"{s.ip} . {s.protocol} . {s.port} : {verdict}"
        if s.balancer and not proxy.outside(s):
            yield f"{s.balancer} . {s.protocol} . {s.port} : {verdict}"


def _nobody_ports(proxy: Proxy) -> Iterator[str]:
    for s in proxy.services:
        if s.node_port and not proxy.outside(s):
            yield f"{s.protocol} . {s.node_port} : {'drop' if s.backends else 'goto reject-chain'}"


def _firewalls(proxy: Proxy) -> Iterator[str]:
    yield from (
        f"{s.balancer} . {s.protocol} . {s.port} : goto firewall-{s.name}" for s in proxy.services if s.ranges
    )


def _hairpins(proxy: Proxy) -> Iterator[str]:
    for s in proxy.services:
        yield from (f"{b.ip} . {b.ip} . {s.protocol} . {b.port}" for b in proxy.local(s))


def _chains(proxy: Proxy, service: Service) -> dict[str, list[str]]:
    ip = "ip6" if proxy.v6 else "ip"
    chains = {f"service-{service.name}": _dnat(proxy, service, service.backends)}
    if service.local or service.internal_local:
        chains[f"local-{service.name}"] = _dnat(proxy, service, proxy.local(service))
    if service.node_port or service.balancer:
        rules = ["jump mark-for-masquerade", f"goto service-{service.name}"]
        if service.local:
            rules = [
                f"{ip} saddr {proxy.pod_cidr} goto service-{service.name}",
                "fib saddr type local jump mark-for-masquerade",
                f"fib saddr type local goto service-{service.name}",
                *([f"goto local-{service.name}"] if proxy.local(service) else []),
            ]
        chains[f"external-{service.name}"] = rules
    if service.ranges:
        chains[f"firewall-{service.name}"] = [f"{ip} saddr != {{ {', '.join(service.ranges)} }} drop"]
    return chains


def _dnat(proxy: Proxy, service: Service, among: Sequence[Backend]) -> list[str]:
    if not among:
        return []
    ip = "ip6" if proxy.v6 else "ip"
    choices = ", ".join(f"{number} : {b.ip} . {b.port}" for number, b in enumerate(among))
    return [
        f"meta l4proto {service.protocol} dnat {ip} addr . port to numgen random mod {len(among)} map {{ {choices} }}"
    ]
