"""A network played by network namespaces, and its dump as a bundle: nodes, Pods, and hosts that no bundle shows.

A node is a namespace, a Pod is one with a veth into its node. Namespaces are named ``pp-<pid>-<number>-<name>``, so that
parallel runs do not meet, and so that those of dead processes can be told and removed.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from podpath.assemble.network import build_network
from podpath.model.network import Network
from podpath.model.refs import NetnsId, node_netns, pod_netns

TOOLS = (
    "ip", "bridge", "nft", "iptables-nft", "iptables-legacy", "ip6tables-nft", "iptables-nft-save",
    "iptables-legacy-save", "ipset", "conntrack", "ss", "sysctl", "nsenter", "unshare",
)  # fmt: skip
PLACE = Path("/run/netns")
CLONE_NEWNET = 0x40000000
PREFIX = "pp-"
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)

SOURCES: Mapping[str, str] = {
    "ip-link.json": "ip -d -s -j link show",
    "ip-addr.json": "ip -j addr show",
    "ip-route.json": "ip -d -j -4 route show table all",
    "ip-route6.json": "ip -d -j -6 route show table all",
    "ip-rule.json": "ip -j -4 rule show",
    "ip-rule6.json": "ip -j -6 rule show",
    "ip-nexthop.json": "ip -j nexthop show",
    "ip-neigh.json": "ip -j neigh show",
    "bridge-fdb.json": "bridge -j fdb show",
    "bridge-link.json": "bridge -d -j link show",
    "bridge-vlan.json": "bridge -j vlan show",
    "iptables-nft-save": "iptables-nft-save -c",
    "iptables-legacy-save": "iptables-legacy-save -c",
    "ip6tables-nft-save": "ip6tables-nft-save -c",
    "ip6tables-legacy-save": "ip6tables-legacy-save -c",
    "nft-list-ruleset.json": "nft -j list ruleset",
    "nft-list-ruleset": "nft list ruleset",
    "ipset-save": "ipset save",
    "conntrack": "conntrack -L -o extended; conntrack -L -f ipv6 -o extended",
    "sysctl": "sysctl net.ipv4.ip_forward net.ipv4.conf net.ipv6.conf.all net.bridge net.netfilter 2> /dev/null || true",
    "ss": "ss -tuanpemiO",
}
"""What is dumped of a namespace, as ``podpath.bundle.layout`` names it, and the command that prints it. ``sysctl -a``
would take longer than all the others."""
SELDOM = ("conntrack",)
"""What is dumped only when a test asks for it: it takes long, and most tests begin with no connections."""
NODE_SOURCES = tuple(name for name in SOURCES if name not in SELDOM)
POD_SOURCES = tuple(
    name
    for name in NODE_SOURCES
    if not name.startswith("bridge-")
    and "legacy" not in name
    and name not in ("ipset-save", "ip-nexthop.json")
)

RULES = (
    "iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save",
    "nft-list-ruleset.json", "nft-list-ruleset", "ipset-save",
)  # fmt: skip
"""What changes when only rules are changed."""


def why_not() -> str:
    """Why no network can be played here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root: network namespaces, iptables and nftables"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    made = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "type", "veth"], check=False, capture_output=True, text=True
    )
    return f"no network namespaces here: {made.stderr.strip()}" if made.returncode else ""


def remove_leftovers() -> None:
    """Remove the namespaces of processes that are dead."""
    for path in PLACE.glob(f"{PREFIX}*") if PLACE.exists() else ():
        pid = path.name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """This thread is in a namespace: sockets that it makes belong there for ever."""
    with Path("/proc/thread-self/ns/net").open() as home, (PLACE / name).open() as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class CommandError(RuntimeError):
    """A command of a set-up failed: the test itself is wrong, or the kernel lacks something."""


@dataclass(frozen=True)
class Space:
    """A namespace. ``folder`` is where the bundle shows it; empty for a host that no bundle shows."""

    name: str
    netns: str
    folder: str
    id: NetnsId

    def sh(self, script: str) -> str:
        """Run commands there, each of which must succeed."""
        command = ["nsenter", f"--net={PLACE / self.netns}", "sh", "-ec", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(
                f"in {self.name}: {script.strip()}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout


@dataclass
class Lab:
    """All namespaces of one network, by the names that tests use."""

    spaces: dict[str, Space] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """What tests may call an address: ``b`` is 10.2.0.2."""
    objects: dict[str, list[dict[str, object]]] = field(
        default_factory=lambda: {"pods": [], "nodes": [], "services": []}
    )
    number: int = field(default_factory=lambda: next(_numbers))
    ports: Iterator[int] = field(default_factory=lambda: itertools.count(40001))
    """Source ports: each probe has its own, so that conntrack entries do not meet."""
    _dumped: dict[str, bytes] = field(default_factory=dict)

    def close(self) -> None:
        """Remove all namespaces."""
        batch = "".join(f"netns del {space.netns}\n" for space in self.spaces.values())
        subprocess.run(
            ["ip", "-force", "-batch", "-"], input=batch, text=True, check=False, capture_output=True
        )
        self.spaces.clear()

    def __getitem__(self, name: str) -> Space:
        return self.spaces[name]

    def node(self, name: str, address: str, *more: str, pod_cidr: str = "") -> Space:
        """A node; its first address is its InternalIP."""
        cidrs = [pod_cidr] if pod_cidr else []
        self.objects["nodes"].append(
            {
                "metadata": {"name": name},
                "spec": {"podCIDR": pod_cidr, "podCIDRs": cidrs},
                "status": {"addresses": [{"type": "InternalIP", "address": one} for one in (address, *more)]},
            }
        )
        self.addresses[name] = address
        return self._space(name, f"nodes/{name}", node_netns(name))

    def pod(self, name: str, node: str, *ips: str) -> Space:
        """A Pod of a node, without any link yet."""
        self.objects["pods"].append(
            {
                "metadata": {"name": name, "namespace": "t"},
                "spec": {"nodeName": node, "containers": [{"name": "c"}]},
                "status": {
                    "phase": "Running",
                    "podIP": ips[0] if ips else "",
                    "podIPs": [{"ip": ip} for ip in ips],
                },
            }
        )
        if ips:
            self.addresses[name] = ips[0]
        return self._space(name, f"nodes/{node}/pods/t.{name}", pod_netns("t", name))

    def host(self, name: str, address: str = "") -> Space:
        """A host or a switch that no bundle shows."""
        if address:
            self.addresses[name] = address
        return self._space(name, "", NetnsId(""))

    def _space(self, name: str, folder: str, netns_id: NetnsId) -> Space:
        space = Space(name, f"{PREFIX}{os.getpid()}-{self.number}-{name}", folder, netns_id)
        self.spaces[name] = space
        subprocess.run(["ip", "netns", "add", space.netns], check=True)
        space.sh(QUIET)
        return space

    def cable(self, one: str, dev: str, other: str, other_dev: str, mtu: int = 1500) -> None:
        """A veth pair between two namespaces, both ends up."""
        a, b = self[one].netns, self[other].netns
        batch = f"link add {dev} mtu {mtu} netns {a} type veth peer name {other_dev} mtu {mtu} netns {b}\n"
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        for space, name in ((one, dev), (other, other_dev)):
            self[space].sh(f"ip link set {name} up\n{SOON}")

    def folders(self) -> list[Space]:
        """The namespaces that the bundle shows."""
        return [space for space in self.spaces.values() if space.folder]

    def dump(self, *names: str, sources: tuple[str, ...] = ()) -> Mapping[str, bytes]:
        """The bundle's files; of all namespaces, or anew of some, and then perhaps of some sources only."""
        spaces = [self[name] for name in names] if names else self.folders()
        self._dumped.update(_dump(spaces, sources))
        api = {
            f"api/{kind}.json": json.dumps({"kind": "List", "items": items}).encode()
            for kind, items in self.objects.items()
        }
        return {**self._dumped, **api}

    def network(self, *names: str, sources: tuple[str, ...] = ()) -> Network:
        """What podpath makes of the dump."""
        return build_network("lab", self.dump(*names, sources=sources))


QUIET = """
ip link set lo up
sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
  net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
"""
"""Every namespace begins alike: no limit on ICMP errors, no wait for duplicate addresses."""
SOON = """
for dev in /proc/sys/net/ipv[46]/neigh/*; do echo 100 > $dev/retrans_time_ms; echo 0 > $dev/proxy_delay; done
"""
"""Neighbours fail after 0.3 s, and proxies answer at once."""


def _dump(spaces: list[Space], sources: tuple[str, ...]) -> dict[str, bytes]:
    """All namespaces at once: one shell for each, every source a file."""
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="pp-dump-") as place:
        shells = []
        for space in spaces:
            names = sources or (POD_SOURCES if "/pods/" in space.folder else NODE_SOURCES)
            folder = Path(place, space.name)
            folder.mkdir()
            script = "\n".join(f"{{ {SOURCES[name]}; }} > {name} 2> {name}.err" for name in names)
            command = ["nsenter", f"--net={PLACE / space.netns}", "sh", "-c", script]
            shells.append((space, folder, names, subprocess.Popen(command, cwd=folder)))
        for space, folder, names, shell in shells:
            shell.wait()
            for name in names:
                files[f"{space.folder}/{name}"] = (folder / name).read_bytes()
    return files
