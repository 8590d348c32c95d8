"""``bridge -d -j link`` and ``grep . /sys/class/net/*/brport/hairpin_mode``: what the ports of bridges may do."""

from __future__ import annotations

import re

from podpath.model.linux.link import BridgePort
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import Fields, Item, need_word, parse_entries, switch, word, words
from podpath.parse.text_lines import text_lines

STATES = ("disabled", "listening", "learning", "forwarding", "blocking")
"""BR_STATE_*, in the order of their numbers (linux/if_bridge.h)."""
HAIRPIN_MODE = re.compile(
    r"/sys/(?:class/net|devices/\S*/net)/([^/\s]+)/brport/hairpin_mode[:\s]\s*([01])\s*"
)


def parse_bridge_link(text: str, file: str) -> tuple[dict[str, BridgePort], tuple[Unrecognized, ...]]:
    """The ports by name."""

    def build(fields: Fields, item: Item) -> tuple[tuple[str, BridgePort], ...]:
        origin = Origin(file, item.line, _port_text(fields))
        return ((need_word(fields, "ifname"), port_of(fields, origin)),)

    ports, lost = parse_entries(text, file, build)
    return dict(ports), lost


def port_of(fields: Fields, origin: Origin) -> BridgePort:
    """A port from the attributes that ``bridge link`` and ``ip -d link`` (``info_slave_data``) name alike."""
    hairpin = switch(fields, "hairpin")
    isolated = switch(fields, "isolated")
    if isolated is None and hairpin is not None:
        isolated = False  # a kernel before 4.18 has no isolated ports
    return BridgePort(
        state=_state(word(fields, "state")),
        hairpin=hairpin,
        isolated=isolated,
        learning=switch(fields, "learning") is not False,
        flood=switch(fields, "flood") is not False,
        neigh_suppress=bool(switch(fields, "neigh_suppress")),
        origin=origin,
    )


def _state(text: str) -> str:
    if text.isascii() and text.isdigit() and int(text) < len(STATES):
        return STATES[int(text)]
    return text or "forwarding"


def _port_text(fields: Fields) -> str:
    """A port as ``bridge -d link`` shows it, of the second line only what matters."""
    parts = [f"{word(fields, 'ifindex')}: {word(fields, 'ifname')}: <{','.join(words(fields, 'flags'))}>"]
    parts += [f"{key} {word(fields, key)}" for key in ("mtu", "master", "state") if word(fields, key)]
    for key in ("hairpin", "isolated", "learning", "flood", "neigh_suppress"):
        value = switch(fields, key)
        parts += [] if value is None else [f"{key} {'on' if value else 'off'}"]
    return " ".join(parts)


def parse_hairpin_mode(text: str, file: str) -> tuple[dict[str, BridgePort], tuple[Unrecognized, ...]]:
    """The ports by name, with nothing known of them but ``hairpin``."""
    ports: dict[str, BridgePort] = {}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        origin = Origin(file, line, content)
        found = HAIRPIN_MODE.fullmatch(content)
        if found:
            ports[found[1]] = BridgePort(hairpin=found[2] == "1", isolated=None, origin=origin)
        else:
            lost.append(Unrecognized(origin, "not the hairpin_mode of a bridge port"))
    return ports, tuple(lost)
