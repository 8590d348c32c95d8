"""One-line files of a node: uname, os-release, selinux, iptables-version, proxy-healthz, flannel-subnet.env."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.linux.node_facts import (
    FlannelSubnet,
    IptablesVersion,
    NodeFacts,
    OsRelease,
    ProxyHealth,
    SelinuxMode,
    Uname,
)
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.errors import ParseError
from podpath.parse.json_entries import json_error
from podpath.parse.text_lines import text_lines

Lost = tuple[Unrecognized, ...]

RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*")
IPTABLES = re.compile(r"ip6?tables(?:-\w+)* v(\d[\w.]*)(?: \((nf_tables|legacy)\))?")
ASSIGNMENT = re.compile(r"""\s*([A-Z][A-Z0-9_]*)=("[^"]*"|'[^']*'|\S*)\s*""")
SELINUX = frozenset({"enforcing", "permissive", "disabled"})


def parse_node_facts(files: Mapping[str, str]) -> tuple[NodeFacts, Lost]:
    """The facts of a node from its files by their path in the bundle; files of other kinds are not looked at."""
    lost: list[Unrecognized] = []

    def only(name: str) -> tuple[str, str]:
        file = next((path for path in files if path.rpartition("/")[2] == name), "")
        return files.get(file, ""), file

    uname, lost_uname = parse_uname(*only("uname"))
    os_release, lost_os = parse_os_release(*only("os-release"))
    selinux, lost_selinux = parse_selinux(*only("selinux"))
    iptables, lost_iptables = parse_iptables_version(*only("iptables-version"))
    healthz, healthz_file = only("proxy-healthz")
    try:
        proxy, lost_proxy = parse_proxy_healthz(healthz, healthz_file)
    except ParseError as error:  # one file of six: the others still count
        proxy, lost_proxy = None, (Unrecognized(Origin(healthz_file, 1), str(error)),)
    flannel, lost_flannel = parse_flannel_subnet_env(*only("flannel-subnet.env"))
    lost = [*lost_uname, *lost_os, *lost_selinux, *lost_iptables, *lost_proxy, *lost_flannel]
    return NodeFacts(uname, os_release, selinux, iptables, proxy, flannel), tuple(lost)


def parse_uname(text: str, file: str) -> tuple[Uname | None, Lost]:
    """``Linux n1 6.18.44 #1 SMP ... x86_64 GNU/Linux``, or a release alone."""
    for line, content in text_lines(text):
        origin, words = Origin(file, line, content), content.split()
        if RELEASE.fullmatch(words[0]) and len(words) == 1:
            return Uname(words[0], origin=origin), ()
        if words[0] == "Linux" and len(words) > 2 and RELEASE.fullmatch(words[2]):
            machine = words[-2] if words[-1] == "GNU/Linux" else words[-1]
            return Uname(words[2], words[1], machine if len(words) > 3 else "", origin), ()
        return None, (Unrecognized(origin, "not what uname prints"),)
    return None, ()


def _assignments(text: str, file: str) -> tuple[dict[str, str], dict[str, Origin], Lost]:
    """``NAME=value`` lines as a shell would read them."""
    values: dict[str, str] = {}
    places: dict[str, Origin] = {}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        found = ASSIGNMENT.fullmatch(content)
        if found:
            values[found[1]], places[found[1]] = found[2].strip("\"'"), origin
        elif not content.lstrip().startswith("#"):
            lost.append(Unrecognized(origin, "not of the form NAME=value"))
    return values, places, tuple(lost)


def parse_os_release(text: str, file: str) -> tuple[OsRelease | None, Lost]:
    """os-release(5): ``ID`` is ``linux`` when absent."""
    values, places, lost = _assignments(text, file)
    if not values:
        return None, lost
    origin = places.get("PRETTY_NAME") or places.get("ID") or next(iter(places.values()))
    likes = tuple(values.get("ID_LIKE", "").split())
    name = values.get("PRETTY_NAME", "")
    return OsRelease(values.get("ID", "linux"), values.get("VERSION_ID", ""), name, likes, origin), lost


def parse_selinux(text: str, file: str) -> tuple[SelinuxMode | None, Lost]:
    """What getenforce prints: ``Enforcing``, ``Permissive``, ``Disabled``."""
    for line, content in text_lines(text):
        origin, mode = Origin(file, line, content), content.strip().lower()
        if mode in SELINUX:
            return SelinuxMode(mode, origin), ()
        return None, (Unrecognized(origin, "not a mode of SELinux"),)
    return None, ()


def parse_iptables_version(text: str, file: str) -> tuple[IptablesVersion | None, Lost]:
    """``iptables v1.8.9 (nf_tables)``."""
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        found = IPTABLES.fullmatch(content.strip())
        if found:
            return IptablesVersion(found[1], found[2] or "legacy", origin), ()
        return None, (Unrecognized(origin, "not a version of iptables"),)
    return None, ()


def parse_proxy_healthz(text: str, file: str) -> tuple[ProxyHealth | None, Lost]:
    """The body of kube-proxy's ``/healthz``; older versions only say when they last synced."""
    if not text.strip():
        return None, ()
    origin = Origin(file, 1, text.strip()[:200])
    if not text.lstrip().startswith("{"):  # an error of the one who asked: "curl: (7) Failed to connect"
        return None, (Unrecognized(origin, "not an answer of kube-proxy"),)
    try:
        fields = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        raise json_error(text, file) from error
    status = fields.get("status")
    families = {
        family: state["healthy"]
        for family, state in (status.items() if isinstance(status, dict) else ())
        if isinstance(state, dict) and isinstance(state.get("healthy"), bool)
    }
    healthy, eligible = fields.get("healthy"), fields.get("nodeEligible")
    health = ProxyHealth(
        healthy=healthy if isinstance(healthy, bool) else None,
        node_eligible=eligible if isinstance(eligible, bool) else None,
        last_updated=str(fields.get("lastUpdated", "")),
        current_time=str(fields.get("currentTime", "")),
        families=families,
        origin=origin,
    )
    return health, ()


def parse_flannel_subnet_env(text: str, file: str) -> tuple[FlannelSubnet | None, Lost]:
    """``FLANNEL_SUBNET=10.244.0.1/24`` and the like."""
    values, places, lost = _assignments(text, file)
    if not values:
        return None, lost
    networks = [values[key] for key in ("FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK") if values.get(key)]
    own = [values[key] for key in ("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET") if values.get(key)]
    origin = places.get("FLANNEL_SUBNET") or next(iter(places.values()))
    masq = values.get("FLANNEL_IPMASQ")
    try:
        subnet = FlannelSubnet(
            # several networks are separated by commas since flannel 0.22
            networks=tuple(parse_prefix(part) for text in networks for part in text.split(",")),
            gateways=tuple(parse_addr(text.partition("/")[0]) for text in own),
            subnets=tuple(parse_prefix(text) for text in own),
            mtu=int(values["FLANNEL_MTU"]) if "FLANNEL_MTU" in values else None,
            ip_masq=None if masq is None else masq == "true",
            origin=origin,
        )
    except ValueError as error:
        return None, (*lost, Unrecognized(origin, str(error)))
    return subnet, lost
