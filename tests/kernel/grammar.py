"""Random rule sets: tables, user chains, matches and targets of iptables (both back ends) and of nft.

A rule set is a list of lines, each of which may be left out: so a case that shows a disagreement can be made smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

BACKENDS = ("iptables-nft", "iptables-legacy", "ip6tables-nft", "nft")
HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
USER_CHAINS = ("U0", "U1", "U2")
"""A chain jumps only to later ones, so that there are no loops."""


class Line(NamedTuple):
    """A line of a rule set. ``text`` begins with the chain; a policy is a line like any other."""

    backend: str
    table: str
    chain: str
    text: str
    policy: bool = False


class Words(NamedTuple):
    """The addresses a family's rules speak of."""

    hosts: tuple[str, ...]
    """Client, server, the router's two addresses, and one that is nobody's."""
    nets: tuple[str, ...]
    servers: tuple[str, ...]
    """Where destinations are translated to."""


class Ground(NamedTuple):
    """Where the rules stand: the addresses and devices that they may name, and what may be switched beside them."""

    v4: Words
    v6: Words
    devices: tuple[str, ...]
    switches: tuple[str, ...]
    """Commands, of which a case takes a few. None that makes the router send errors of its own, which are limited to a few
    at once (ip_error), and none that hosts remember (an MTU)."""
    bridged: bool = False


ROUTED = Ground(
    Words(
        ("10.1.0.2", "10.2.0.2", "10.1.0.1", "10.2.0.1", "10.96.0.1"),
        ("10.1.0.0/24", "10.2.0.0/24", "10.0.0.0/8", "10.96.0.0/16"),
        ("10.2.0.2", "10.1.0.2", "10.2.0.1"),
    ),
    Words(
        ("fd01::2", "fd02::2", "fd01::1", "fd02::1", "fd96::1"),
        ("fd01::/64", "fd02::/64", "fd00::/8", "fd96::/64"),
        ("fd02::2", "fd01::2", "fd02::1"),
    ),
    ("ra", "rb", "r+", "lo"),
    (
        "ip rule add fwmark 0x1/0x1 lookup 100 pref 50; ip route replace default via 10.2.0.2 table 100",
        "ip rule add fwmark 0x2/0x2 lookup 100 pref 50; ip route add blackhole 10.96.0.0/16 table 100",
        "ip rule add from 10.2.0.2 blackhole pref 60",
        "ip rule add ipproto tcp dport 8080 lookup 100 pref 50; ip route replace throw default table 100",
        "sysctl -qw net.ipv4.conf.ra.rp_filter=1",
        "sysctl -qw net.ipv4.conf.all.rp_filter=2",
        "sysctl -qw net.ipv4.conf.ra.forwarding=0",
        "sysctl -qw net.ipv4.conf.all.route_localnet=1",
        "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0",
    ),
)
BRIDGED = Ground(
    Words(
        ("10.244.0.2", "10.244.0.3", "10.244.0.1", "10.9.0.1", "10.96.0.1"),
        ("10.244.0.0/24", "10.9.0.0/24", "10.0.0.0/8", "10.96.0.0/16"),
        ("10.244.0.2", "10.244.0.3", "10.9.0.1"),
    ),
    Words(
        ("fd44::2", "fd44::3", "fd44::1", "fd09::1", "fd96::1"),
        ("fd44::/64", "fd09::/64", "fd00::/8", "fd96::/64"),
        ("fd44::2", "fd44::3", "fd09::1"),
    ),
    ("br0", "rx", "v1", "v2", "lo"),
    (
        "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
        "sysctl -qw net.bridge.bridge-nf-call-ip6tables=0",
        "for port in v1 v2 v3; do bridge link set dev $port hairpin on; done",
        "for port in v1 v2 v3; do bridge link set dev $port hairpin on; done",
        "bridge link set dev v1 isolated on",
        "sysctl -qw net.ipv4.conf.br0.forwarding=0",
        "sysctl -qw net.ipv4.conf.br0.rp_filter=1",
        "sysctl -qw net.ipv4.conf.all.route_localnet=1",
    ),
    bridged=True,
)
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "DNAT", "SNAT")
PORTS = (80, 8080, 53, 5353, 81, 40000)
SETS = ("hip", "hnet", "hport", "bport")


def sets(words: Words) -> str:
    """Commands that make the ipsets that rules may name."""
    client, server, _, own, vip = words.hosts
    elements = {
        "hip hash:ip": (client, own, vip),
        "hnet hash:net": (words.nets[1], f"{own}/32 nomatch", words.nets[3]),
        "hport hash:ip,port": (f"{server},tcp:80", f"{server},udp:53", f"{vip},tcp:80", f"{client},tcp:8080"),
        "bport bitmap:port range 0-10000": ("80", "53"),
    }
    return "".join(
        f"ipset create {kind}\n" + "".join(f"ipset add {kind.split()[0]} {element}\n" for element in of)
        for kind, of in elements.items()
    )


def draw(random: Random, ground: Ground = ROUTED) -> tuple[Line, ...]:
    """A rule set for one or two back ends, and perhaps a switch beside it."""
    chosen = random.sample(BACKENDS, k=random.choice((1, 1, 2)))
    switches = random.sample(ground.switches, k=random.choice((0, 0, 0, 1, 2)))
    return (
        *(Line("switch", "", "", command) for command in switches),
        *(
            line
            for backend in chosen
            for line in (_nft(random, ground) if backend == "nft" else _iptables(random, backend, ground))
        ),
    )


def _some(random: Random, makers: Iterable[tuple[float, Callable[[], str]]]) -> list[str]:
    return [text for chance, make in makers if random.random() < chance and (text := make())]


# --- iptables ---------------------------------------------------------------------------------------------------------


def _iptables(random: Random, backend: str, ground: Ground) -> Iterable[Line]:
    for table, chains in HOOKS.items():
        if random.random() < 0.35:
            continue
        for chain in chains:
            if table == "filter" and random.random() < 0.15:
                yield Line(backend, table, chain, "DROP", policy=True)
            for _ in range(random.choice((0, 0, 1, 2, 3))):
                yield Line(backend, table, chain, _rule(random, backend, table, chain, ground))
        for chain in _users(table):
            for _ in range(random.choice((0, 1, 2, 3))):
                yield Line(backend, table, chain, _rule(random, backend, table, chain, ground))


def _users(table: str) -> tuple[str, ...]:
    """User chains; those of nat are for destinations or for sources."""
    return (*(f"D{n}" for n in range(3)), *(f"S{n}" for n in range(3))) if table == "nat" else USER_CHAINS


def _family(table: str, chain: str) -> tuple[str, ...]:
    """The user chains that a chain may call."""
    users = _users(table)
    if table == "nat":
        destination = chain in ("PREROUTING", "OUTPUT") or chain.startswith("D")
        users = tuple(user for user in users if user.startswith("D") == destination)
    return tuple(user for user in users if chain not in users or user > chain)


def _rule(random: Random, backend: str, table: str, chain: str, ground: Ground) -> str:
    words = ground.v6 if backend.startswith("ip6") else ground.v4
    protocol = random.choice(("", "", "tcp", "tcp", "udp"))
    parts = [f"-p {protocol}"] if protocol else []
    parts += _matches(random, backend, table, chain, ground, protocol)
    return " ".join([*parts, _target(random, backend, table, chain, words, protocol)]).strip()


def _matches(
    random: Random, backend: str, table: str, chain: str, ground: Ground, protocol: str
) -> list[str]:
    words = ground.v6 if backend.startswith("ip6") else ground.v4

    def no(chance: float = 0.2) -> str:
        return "! " if random.random() < chance else ""

    def ports(side: str) -> str:
        port = random.choice(PORTS)
        return (
            f"{no()}--{side} {random.choice((str(port), f'{port - 1}:{port + 1}', f'{port}:', f':{port}'))}"
        )

    def state() -> str:
        return f"-m conntrack {no()}--ctstate {','.join(random.sample(STATES, k=random.choice((1, 2, 3))))}"

    def one_set() -> str:
        name = random.choice(SETS)
        sides = "dst,dst" if name == "hport" else random.choice(("src", "dst"))
        return f"-m set {no()}--match-set {name} {sides}"

    user = chain not in sum(HOOKS.values(), ())
    makers: list[tuple[float, Callable[[], str]]] = [
        (0.3, lambda: f"{no()}-s {random.choice(words.hosts + words.nets)}"),
        (0.35, lambda: f"{no()}-d {random.choice(words.hosts + words.nets)}"),
        (
            0.15 if user or chain in ("PREROUTING", "INPUT", "FORWARD") else 0,
            lambda: f"{no()}-i {random.choice(ground.devices)}",
        ),
        (
            0.15 if user or chain in ("POSTROUTING", "OUTPUT", "FORWARD") else 0,
            lambda: f"{no()}-o {random.choice(ground.devices)}",
        ),
        (0.35 if protocol else 0, lambda: f"-m {protocol} {ports('dport')}"),
        (
            0.08 if protocol else 0,
            lambda: f"-m multiport {no()}--{random.choice(('dports', 'sports', 'ports'))} 53,80,1000:50000",
        ),
        (
            0.1 if protocol == "tcp" else 0,
            lambda: (
                f"-m tcp {no()}--tcp-flags {random.choice(('SYN,ACK SYN', 'SYN,ACK SYN,ACK', 'SYN,ACK ACK', 'RST RST', 'FIN,SYN,RST,ACK SYN'))}"
            ),
        ),
        (0.25 if table != "raw" else 0, state),
        (
            0.06 if table != "raw" else 0,
            lambda: f"-m conntrack {no()}--ctorigdst {random.choice(words.hosts + words.nets)}",
        ),
        (
            0.06 if table != "raw" else 0,
            lambda: f"-m conntrack --ctdir {random.choice(('ORIGINAL', 'REPLY'))}",
        ),
        (
            0.15,
            lambda: (
                f"-m mark {no()}--mark {random.choice(('0x1', '0x1/0x1', '0x0/0x1', '0x2/0x3', '0x4/0x2'))}"
            ),
        ),
        (
            0.05 if table != "raw" else 0,
            lambda: f"-m connmark {no()}--mark {random.choice(('0x1', '0x1/0x1', '0x0'))}",
        ),
        (
            0.12,
            lambda: (
                f"-m addrtype {no()}--{random.choice(('dst', 'src'))}-type {random.choice(('LOCAL', 'UNICAST', 'LOCAL,UNICAST'))}"
            ),
        ),
        (0.1 if backend != "ip6tables-nft" else 0, one_set),
        (
            0.12
            if ground.bridged
            and (user or chain in ("PREROUTING", "FORWARD", "POSTROUTING"))
            and table != "nat"
            else 0,
            lambda: (
                f"-m physdev {no()}--{random.choice(('physdev-is-bridged', 'physdev-is-in', 'physdev-in v1', 'physdev-in v2'))}"
            ),
        ),
        (
            0.04 if backend != "ip6tables-nft" else 0,
            lambda: f"-m ttl --ttl-{random.choice(('eq', 'gt', 'lt'))} {random.choice((63, 64))}",
        ),
    ]
    found = _some(random, makers)
    return random.sample(found, k=min(len(found), 3))


def _target(random: Random, backend: str, table: str, chain: str, words: Words, protocol: str) -> str:
    later = _family(table, chain)
    common = [
        "-j ACCEPT",
        "-j RETURN",
        "",
        *([f"-j {random.choice(later)}"] * 3 + [f"-g {random.choice(later)}"] if later else []),
    ]
    mark = (
        f"-j MARK --set-xmark {random.choice(('0x1/0x1', '0x2/0x3', '0x0/0x1', '0x1/0x0', '0x3/0xffffffff'))}"
    )
    if random.random() < 0.5:
        return random.choice(common)
    if table == "raw":
        return random.choice(("-j CT --notrack", mark, "-j DROP"))
    if table == "mangle":
        connmark = f"-j CONNMARK {random.choice(('--set-xmark 0x1/0x1', '--save-mark', '--restore-mark'))}"
        return random.choice((mark, mark, connmark, "-j DROP"))
    if table == "filter":
        how = (
            ""
            if backend == "ip6tables-nft"
            else random.choice(
                (" --reject-with icmp-host-prohibited", " --reject-with icmp-admin-prohibited", "")
            )
        )
        reset = " --reject-with tcp-reset" if protocol == "tcp" and random.random() < 0.3 else how
        return random.choice(("-j ACCEPT", "-j ACCEPT", "-j DROP", f"-j REJECT{reset}", mark))
    return _translation(random, chain, words, protocol)


def _translation(random: Random, chain: str, words: Words, protocol: str) -> str:
    server = random.choice(words.servers)
    at = f"[{server}]" if ":" in server else server
    if chain in ("PREROUTING", "OUTPUT") or chain.startswith("D"):
        port = random.choice((":80", ":8080", "")) if protocol else ""
        redirect = (
            f"-j REDIRECT{random.choice((' --to-ports 80', ' --to-ports 8080', ''))}"
            if protocol
            else "-j REDIRECT"
        )
        dnat = f"-j DNAT --to-destination {at + port if port else server}"
        return random.choice((dnat, dnat, dnat, redirect))
    source = words.hosts[random.choice((2, 3))]
    masquerade: tuple[str, ...] = () if chain == "INPUT" or chain.startswith("S") else ("-j MASQUERADE",)
    translations: list[str] = [f"-j SNAT --to-source {source}", *masquerade]
    return random.choice(translations)


# --- nft --------------------------------------------------------------------------------------------------------------

TRANSPORT = ("tcp ", "udp ", "th ", "meta l4proto", "reject with tcp")
"""A rule says only once which protocol it is about: nft takes no contradictions."""
NFT_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


def _nft(random: Random, ground: Ground) -> Iterable[Line]:
    family = random.choice(("ip", "inet"))
    table = f"{family} f"
    for hook in NFT_HOOKS:
        for number, priority in enumerate(
            random.sample((-310, -250, -150, -90, 0, 10, 110), k=random.choice((0, 1, 1, 2)))
        ):
            chain = f"{hook}{number}"
            kind = "route" if hook == "output" and random.random() < 0.4 else "filter"
            policy = random.choice(("accept",) * 8 + ("drop",))
            yield Line(
                "nft",
                table,
                chain,
                f"type {kind} hook {hook} priority {priority} ; policy {policy} ;",
                policy=True,
            )
            for _ in range(random.choice((1, 2, 3))):
                yield Line("nft", table, chain, _nft_rule(random, hook, USER_CHAINS, ground))
        if hook != "forward" and random.random() < 0.35:
            chain = f"nat{hook}"
            yield Line(
                "nft",
                table,
                chain,
                f"type nat hook {hook} priority {random.choice((-100, -90, 100, 110))} ;",
                policy=True,
            )
            for _ in range(random.choice((1, 2))):
                yield Line("nft", table, chain, _nft_nat(random, hook, ground))
    for chain in USER_CHAINS:
        later = tuple(user for user in USER_CHAINS if user > chain)
        for _ in range(random.choice((0, 1, 2))):
            yield Line("nft", table, chain, _nft_rule(random, "", later, ground))


def _nft_rule(random: Random, hook: str, later: tuple[str, ...], ground: Ground) -> str:
    found = _some(random, _nft_matches(random, ground))
    matches = random.sample(found, k=min(len(found), 3))
    verdict = _nft_verdict(random, hook, later)
    transport = [text for text in (*matches, verdict) if text.startswith(TRANSPORT)]
    return " ".join(
        [text for text in matches if text not in transport[1:]]
        + ([verdict] if verdict not in transport[1:] else ["accept"])
    )


def _nft_matches(random: Random, ground: Ground) -> list[tuple[float, Callable[[], str]]]:
    def no() -> str:
        return random.choice(("", "", "", "!= "))

    hosts, nets = ground.v4.hosts, ground.v4.nets
    client, server, _, _, vip = hosts
    devices = [device for device in ground.devices if not device.endswith("+")]
    return [
        (0.25, lambda: f"ip saddr {no()}{random.choice(hosts + nets)}"),
        (
            0.3,
            lambda: (
                f"ip daddr {no()}{random.choice((*hosts, *nets, f'{{ {server}, {vip} }}', f'{server}-{server}9'))}"
            ),
        ),
        (
            0.3,
            lambda: (
                f"tcp dport {random.choice(('80', '!= 80', '{ 80, 81 }', '!= { 80, 81 }', '80-9000', '!= 80-9000', '> 100'))}"
            ),
        ),
        (0.1, lambda: f"udp dport {no()}{random.choice(('53', '{ 53, 5353 }'))}"),
        (0.1, lambda: f"th sport {random.choice(('80', '< 9000'))}"),
        (0.1, lambda: f"meta l4proto {no()}{random.choice(('tcp', 'udp', '{ tcp, udp }'))}"),
        (0.15, lambda: f"iifname {no()}{random.choice(devices)}"),
        (0.1, lambda: f"oifname {no()}{random.choice(devices)}"),
        (
            0.25,
            lambda: (
                f"ct state {no()}{random.choice(('new', 'established', 'new,established', 'invalid', 'untracked', 'related'))}"
            ),
        ),
        (0.08, lambda: f"ct status {random.choice(('dnat', 'snat', 'dnat,snat', 'seen-reply'))}"),
        (0.06, lambda: f"ct direction {random.choice(('original', 'reply'))}"),
        (0.06, lambda: f"ct original ip daddr {random.choice(hosts)}"),
        (
            0.15,
            lambda: f"meta mark {random.choice(('0x1', '!= 0x1', '& 0x1 == 0x1', '& 0x2 != 0x0', '0x0'))}",
        ),
        (0.05, lambda: f"ct mark {random.choice(('0x1', '!= 0x1'))}"),
        (0.08, lambda: f"fib daddr type {no()}{random.choice(('local', 'unicast'))}"),
        (0.05, lambda: "fib saddr type local"),
        (
            0.06,
            lambda: (
                f"tcp flags {random.choice(('syn / syn,ack', 'syn,ack / syn,ack', 'ack / syn,ack', 'syn', 'rst'))}"
            ),
        ),
        (
            0.06,
            lambda: f"ip saddr . ip daddr {{ {client} . {server}, {server} . {client}, {client} . {vip} }}",
        ),
    ]


def _nft_verdict(random: Random, hook: str, later: tuple[str, ...]) -> str:
    jumps = [f"{random.choice(('jump', 'goto'))} {random.choice(later)}"] * 3 if later else []
    changes = [
        "meta mark set 0x1",
        "meta mark set meta mark | 0x2",
        "ct mark set 0x1",
        "meta mark set ct mark",
        "meta mark set meta mark ^ 0x1",
    ]
    maps = [
        f"meta l4proto vmap {{ tcp : {random.choice(('accept', 'continue', 'return'))}, udp : {random.choice(('accept', 'drop'))} }}"
    ]
    if later:
        maps.append(
            f"tcp dport vmap {{ 80 : jump {random.choice(later)}, 8080 : goto {random.choice(later)} }}"
        )
    rejects = (
        ["reject", "reject with tcp reset", "reject with icmp admin-prohibited"]
        if hook in ("input", "forward", "output")
        else []
    )
    notrack = ["notrack"] if hook in ("prerouting", "output") else []
    return random.choice(
        [
            "accept",
            "accept",
            "return",
            "counter",
            "drop",
            *jumps,
            *random.sample(changes, k=2),
            *maps,
            *rejects[:2],
            *notrack,
        ]
    )


def _nft_nat(random: Random, hook: str, ground: Ground) -> str:
    found = _some(random, [(chance, make) for chance, make in _nft_matches(random, ground) if chance >= 0.25])
    picked = random.sample(found, k=min(len(found), 2))
    matches = " ".join(
        text for text in picked if not text.startswith(TRANSPORT) or text.startswith("tcp dport")
    )
    if hook in ("prerouting", "output"):
        server = random.choice(ground.v4.servers)
        port = random.choice((":80", ":8080", ""))
        how = random.choice(
            (f"dnat ip to {server}{port}",) * 3 + (f"redirect to {random.choice((':80', ':8080'))}", "accept")
        )
        tcp = "meta l4proto tcp " if ":" in how and "tcp dport" not in matches else ""
        return f"{tcp}{matches} {how}"
    how = random.choice(
        (
            f"snat ip to {random.choice(ground.v4.hosts[2:4])}",
            "masquerade" if hook == "postrouting" else f"snat ip to {ground.v4.hosts[2]}",
        )
    )
    return f"{matches} {how}"


# --- what loads them --------------------------------------------------------------------------------------------------


def script(lines: Iterable[Line]) -> str:
    """A shell script that removes the rules that are there and loads these."""
    lines = tuple(lines)
    parts = [RESET, *(line.text for line in lines if line.backend == "switch")]
    for backend in ("iptables-legacy", "iptables-nft", "ip6tables-nft"):
        mine = [line for line in lines if line.backend == backend]
        if mine:
            parts.append(f"{backend}-restore <<'X'\n{_restore(mine)}X")
    native = [line for line in lines if line.backend == "nft"]
    if native:
        parts.append(f"nft -f - <<'X'\n{_ruleset(native)}X")
    return "\n".join(parts)


RESET = """nft flush ruleset
for table in $(cat /proc/net/ip_tables_names 2> /dev/null); do
  iptables-legacy -t $table -F; iptables-legacy -t $table -X
  for chain in $(iptables-legacy -t $table -S | sed -n 's/^-P \\([A-Z]*\\) .*/\\1/p'); do iptables-legacy -t $table -P $chain ACCEPT; done
done
ip rule del pref 50 2> /dev/null || true; ip rule del pref 60 2> /dev/null || true; ip route flush table 100 2> /dev/null || true
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.route_localnet=0 net.netfilter.nf_conntrack_tcp_loose=1
if [ -e /proc/sys/net/ipv4/conf/br0 ]; then
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 net.ipv4.conf.br0.forwarding=1 net.ipv4.conf.br0.rp_filter=0
  for port in v1 v2 v3; do bridge link set dev $port hairpin off isolated off; done
else
  sysctl -qw net.ipv4.conf.ra.rp_filter=0 net.ipv4.conf.ra.forwarding=1
fi
"""


def _restore(lines: list[Line]) -> str:
    text = ""
    for table, chains in HOOKS.items():
        mine = [line for line in lines if line.table == table]
        if not mine:
            continue
        policies = {line.chain: line.text for line in mine if line.policy}
        text += f"*{table}\n" + "".join(f":{chain} {policies.get(chain, 'ACCEPT')}\n" for chain in chains)
        text += "".join(f":{user} -\n" for user in _users(table))
        text += "".join(f"-A {line.chain} {line.text}\n" for line in mine if not line.policy) + "COMMIT\n"
    return text


def _ruleset(lines: list[Line]) -> str:
    table = lines[0].table
    based = {line.chain: line.text for line in lines if line.policy}
    chains = [*USER_CHAINS[::-1], *based]
    text = f"table {table} {{\n"
    for chain in chains:
        rules = [line.text for line in lines if line.chain == chain and not line.policy]
        text += (
            f"chain {chain} {{\n" + "\n".join([*([based[chain]] if chain in based else []), *rules]) + "\n}\n"
        )
    return text + "}\n"
