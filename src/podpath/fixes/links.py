"""Devices, bridge ports, neighbours and forwarding entries as ip(8) and bridge(8) take them."""

from __future__ import annotations

import shlex

from podpath.model.addr import format_addr
from podpath.model.edit import DeleteNeighbor, SetBridgePort, SetFdb, SetLink, SetNeighbor
from podpath.model.linux.link import Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor

OPPOSITE = {"on": "off", "off": "on"}


def link_steps(edit: SetLink) -> tuple[str, str]:
    """``ip link set dev X up``, and back to what it was."""
    dev = shlex.quote(edit.link.name)
    undo = _before(edit.change, edit.before)
    return f"ip link set dev {dev} {edit.change}", f"ip link set dev {dev} {undo}" if undo else ""


def _before(change: str, before: Link) -> str:
    """The words that set the device back."""
    match change.split():
        case ["up"] | ["down"]:
            return "up" if before.up else "down"
        case ["mtu", _]:
            return f"mtu {before.mtu}"
        case ["master", _] | ["nomaster"]:
            return f"master {before.master}" if before.master else "nomaster"
        case ["address", _] if before.mac:
            return f"address {before.mac}"
        case ["promisc", ("on" | "off")]:
            return f"promisc {'on' if before.promisc else 'off'}"
    return ""


def port_steps(edit: SetBridgePort) -> tuple[str, str]:
    """``bridge link set dev X hairpin on``, and off again."""
    dev = shlex.quote(edit.link.name)
    *names, value = edit.change.split()
    command = f"bridge link set dev {dev} {edit.change}"
    if value in OPPOSITE:
        return command, f"bridge link set dev {dev} {' '.join(names)} {OPPOSITE[value]}"
    return command, ""


def neighbor_steps(edit: SetNeighbor | DeleteNeighbor) -> tuple[str, str]:
    """Set a neighbour or forget it, and the other way round."""
    entry = edit.neighbor
    if isinstance(edit, DeleteNeighbor):
        return _forget(entry), _neighbor(entry) if entry.lladdr else ""
    if edit.before is not None and edit.before.lladdr:
        return _neighbor(entry), _neighbor(edit.before)
    return _neighbor(entry), _forget(entry)


def _neighbor(entry: Neighbor) -> str:
    addr, state = format_addr(entry.dst), (entry.state or "permanent").lower()
    if entry.proxy:
        return f"ip neigh replace proxy {addr} dev {shlex.quote(entry.dev)}"
    return f"ip neigh replace {addr} lladdr {entry.lladdr} dev {shlex.quote(entry.dev)} nud {state}"


def _forget(entry: Neighbor) -> str:
    proxy = "proxy " if entry.proxy else ""
    return f"ip neigh del {proxy}{format_addr(entry.dst)} dev {shlex.quote(entry.dev)}"


def fdb_steps(edit: SetFdb) -> tuple[str, str]:
    """Set where a MAC address is; back to what was there, or to nothing."""
    if edit.before:
        return _fdb("replace", edit.entry), " && ".join(_fdb("replace", entry) for entry in edit.before)
    return _fdb("replace", edit.entry), _fdb("del", edit.entry)


def _fdb(verb: str, entry: FdbEntry) -> str:
    words = [f"bridge fdb {verb} {entry.mac} dev {shlex.quote(entry.dev)}"]
    if entry.dst is not None:
        words.append(f"dst {format_addr(entry.dst)}")
    words += [f"vlan {entry.vlan}"] if entry.vlan is not None else []
    words += [f"vni {entry.vni}"] if entry.vni is not None else []
    words += [f"port {entry.port}"] if entry.port is not None else []
    words.append("master" if entry.master and entry.dst is None else "self")
    if entry.state:
        words.append(
            "permanent" if entry.state == "permanent" else "static" if entry.state == "static" else ""
        )
    return " ".join(word for word in words if word)
