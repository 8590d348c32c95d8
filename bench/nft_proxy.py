"""kube-proxy's nftables mode on a made-up node: what ``nft list ruleset`` and ``nft -j list ruleset`` print."""

from __future__ import annotations

import json
from typing import NamedTuple

from bench.clusters import hashed, service_ip
from bench.rules import API_IP, PODS

Json = dict[str, object]


class _Part(NamedTuple):
    """A chain: its declaration and rules in JSON, and its lines in the listing."""

    declared: str
    rules: tuple[str, ...]
    listed: str


def _printed(one: Json) -> str:
    return json.dumps(one, separators=(", ", ": "))


def _chain(name: str, rules: list[tuple[list[Json], str]], base: tuple[str, str, int] | None = None) -> _Part:
    """A chain of rules, each in both forms; ``base`` is type, hook and priority."""
    place = {"family": "ip", "table": "kube-proxy"}
    hook: Json = {}
    lines = [f"\tchain {name} {{"]
    if base is not None:
        hook = {"type": base[0], "hook": base[1], "prio": base[2], "policy": "accept"}
        lines.append(f"\t\ttype {base[0]} hook {base[1]} priority {base[2]}; policy accept;")
    declared = _printed({"chain": {**place, "name": name, "handle": 7, **hook}})
    printed = tuple(
        _printed({"rule": {**place, "chain": name, "handle": 9, "expr": expr}}) for expr, _ in rules
    )
    lines += [f"\t\t{text}" for _, text in rules]
    return _Part(declared, printed, "\n".join([*lines, "\t}", "", ""]))


def _is(protocol: str, field: str, value: object, op: str = "==") -> Json:
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}}


MARK: Json = {"meta": {"key": "mark"}}
L4: Json = {"meta": {"key": "l4proto"}}
SERVED: list[Json] = [
    {"payload": {"protocol": "ip", "field": "daddr"}},
    L4,
    {"payload": {"protocol": "th", "field": "dport"}},
]
FROM: Json = {"payload": {"protocol": "ip", "field": "saddr"}}
NETWORK: Json = {"prefix": {"addr": PODS.partition("/")[0], "len": int(PODS.partition("/")[2])}}
FRAME = [
    _chain(
        "nat-prerouting", [([{"jump": {"target": "services"}}], "jump services")], ("nat", "prerouting", -100)
    ),
    _chain("nat-output", [([{"jump": {"target": "services"}}], "jump services")], ("nat", "output", -100)),
    _chain(
        "nat-postrouting",
        [([{"jump": {"target": "masquerading"}}], "jump masquerading")],
        ("nat", "postrouting", 100),
    ),
    _chain(
        "services",
        [
            (
                [
                    _is("ip", "daddr", "@cluster-ips"),
                    _is("ip", "saddr", NETWORK, "!="),
                    {"mangle": {"key": MARK, "value": {"|": [MARK, 0x4000]}}},
                ],
                f"ip daddr @cluster-ips ip saddr != {PODS} meta mark set meta mark | 0x00004000",
            ),
            (
                [{"vmap": {"key": {"concat": SERVED}, "data": "@service-ips"}}],
                "ip daddr . meta l4proto . th dport vmap @service-ips",
            ),
        ],
    ),
    _chain(
        "masquerading",
        [
            (
                [
                    {"match": {"op": "!=", "left": {"&": [MARK, 0x4000]}, "right": 0}},
                    {"mangle": {"key": MARK, "value": {"^": [MARK, 0x4000]}}},
                    {"masquerade": {"flags": "fully-random"}},
                ],
                "meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random",
            ),
            (
                [
                    {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}},
                    {
                        "match": {
                            "op": "==",
                            "left": {"concat": [FROM, *SERVED]},
                            "right": "@hairpin-connections",
                        }
                    },
                    {"masquerade": {"flags": "fully-random"}},
                ],
                (
                    "ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections "
                    "masquerade fully-random"
                ),
            ),
        ],
    ),
]


class NftProxy:
    """The table of all nodes; each lists its chains in an order of its own, that in which they were made."""

    def __init__(self, addresses: list[list[str]], api: str) -> None:
        ways = [(service_ip(number), 80) for number in range(len(addresses))]
        self._services: list[_Part] = []
        self._elements: list[tuple[Json, Json]] = []
        named = [f"ns-{n % 200}/svc-{n}/tcp/http" for n in range(len(addresses))]
        targets = [[(addr, 8080) for addr in chosen] for chosen in addresses]
        for (addr, port), name, ends in zip(
            [*ways, (API_IP, 443)],
            [*named, "default/kubernetes/tcp/https"],
            [*targets, [(api, 6443)]],
            strict=True,
        ):
            chain = f"service-{hashed(name)[:8]}-{name}"
            self._elements.append(({"concat": [addr, "tcp", port]}, {"goto": {"target": chain}}))
            self._services.append(_chain(chain, [_choice(ends)]))

    def dump(self, node: int, own: list[str]) -> tuple[bytes, bytes]:
        """The listing and its JSON on a node; ``own`` are the addresses of its Pods that serve."""
        turn = node * 7919 % len(self._services)
        parts = [*FRAME, *self._services[turn:], *self._services[:turn]]
        place = {"family": "ip", "table": "kube-proxy"}
        held = [key["concat"][0] for key, _ in self._elements]  # type: ignore[index]
        pair = ["ipv4_addr", "ipv4_addr", "inet_proto", "inet_service"]
        hairpins = [{"concat": [addr, addr, "tcp", 8080]} for addr in own]
        sets: list[Json] = [
            {"set": {**place, "name": "hairpin-connections", "type": pair, "handle": 2, "elem": hairpins}},
            {"set": {**place, "name": "cluster-ips", "type": "ipv4_addr", "handle": 3, "elem": held}},
            {
                "map": {
                    **place,
                    "name": "service-ips",
                    "type": ["ipv4_addr", "inet_proto", "inet_service"],
                    "handle": 4,
                    "map": "verdict",
                    "elem": self._elements,
                }
            },
        ]
        table: Json = {"table": {"family": "ip", "name": "kube-proxy", "handle": 1}}
        info: Json = {"metainfo": {"version": "1.0.6", "json_schema_version": 1}}
        items = [_printed(one) for one in (info, table, *sets)]
        items += [part.declared for part in parts]
        items += [rule for part in parts for rule in part.rules]
        return self._listing(parts, own).encode(), f'{{"nftables": [{", ".join(items)}]}}\n'.encode()

    def _listing(self, parts: list[_Part], own: list[str]) -> str:
        addresses = ", ".join(str(key["concat"][0]) for key, _ in self._elements)  # type: ignore[index]
        served = ",\n\t\t\t     ".join(
            f"{' . '.join(map(str, key['concat']))} : goto {to['goto']['target']}"  # type: ignore[call-overload,index]
            for key, to in self._elements
        )
        kinds = "ipv4_addr . inet_proto . inet_service : verdict"
        hairpins = ", ".join(f"{addr} . {addr} . tcp . 8080" for addr in own)
        head = "table ip kube-proxy {\n\tset hairpin-connections {\n"
        head += "\t\ttype ipv4_addr . ipv4_addr . inet_proto . inet_service\n"
        head += f"\t\telements = {{ {hairpins} }}\n\t}}\n\n"
        head += f"\tset cluster-ips {{\n\t\ttype ipv4_addr\n\t\telements = {{ {addresses} }}\n\t}}\n\n"
        head += f"\tmap service-ips {{\n\t\ttype {kinds}\n\t\telements = {{ {served} }}\n\t}}\n\n"
        return head + "".join(part.listed for part in parts).rstrip("\n") + "\n}\n"


def _choice(ends: list[tuple[str, int]]) -> tuple[list[Json], str]:
    numbered = [[at, {"concat": [addr, port]}] for at, (addr, port) in enumerate(ends)]
    key: Json = {"numgen": {"mode": "random", "mod": len(ends), "offset": 0}}
    to: Json = {"dnat": {"family": "ip", "addr": {"map": {"key": key, "data": {"set": numbered}}}}}
    listed = ", ".join(f"{at} : {addr} . {port}" for at, (addr, port) in enumerate(ends))
    is_tcp: Json = {"match": {"op": "==", "left": L4, "right": "tcp"}}
    return [is_tcp, to], f"meta l4proto tcp dnat ip to numgen random mod {len(ends)} map {{ {listed} }}"
