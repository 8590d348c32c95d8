"""``/etc/cni/net.d/*.conf`` and ``*.conflist``: how the container runtime attaches Pods."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podpath.model.addr import Prefix, parse_prefix
from podpath.model.linux.cni import CniConfig, CniPlugin
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.json_entries import (
    SHOWN,
    Fields,
    NotUnderstoodError,
    child,
    children,
    json_error,
    number,
    switch,
    word,
)


def parse_cni_conf(text: str, file: str) -> tuple[CniConfig, tuple[Unrecognized, ...]]:
    """The configuration; one without plugins is legal here and passed over by the runtime."""
    if not text.strip():
        return CniConfig(file, ""), ()
    try:
        fields = msgspec.json.decode(text.encode(errors="replace"), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        raise json_error(text, file) from error
    lost: list[Unrecognized] = []
    plugins: list[CniPlugin] = []
    for entry in _chain(fields, file, lost):
        try:
            plugins.append(_plugin(entry))
        except ValueError as error:
            shown = msgspec.json.encode(entry)[:SHOWN].decode(errors="replace")
            lost.append(Unrecognized(Origin(file, 1, shown), str(error)))
    name, version = _text(fields, "name"), _text(fields, "cniVersion")
    shown = f"{name}: {', '.join(plugin.type for plugin in plugins)}"
    return CniConfig(file, name, version, tuple(plugins), Origin(file, 1, shown)), tuple(lost)


def _text(fields: Fields, key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _chain(fields: Fields, file: str, lost: list[Unrecognized]) -> tuple[Fields, ...]:
    """The plugins of a list (``.conflist``), or the one that a ``.conf`` is."""
    if "plugins" not in fields:
        return (fields,)
    try:
        return children(fields, "plugins")
    except NotUnderstoodError as error:
        lost.append(Unrecognized(Origin(file, 1), str(error)))
        return ()


def _plugin(fields: Fields) -> CniPlugin:
    kind = word(fields, "type")
    if not kind:
        raise NotUnderstoodError("the plugin has no type")
    own: Mapping[str, object] = {**child(fields, "delegate"), **fields}
    ipam = {**child(child(fields, "delegate"), "ipam"), **child(fields, "ipam")}
    return CniPlugin(
        type=kind,
        bridge=word(own, "bridge"),
        hairpin_mode=switch(own, "hairpinMode"),
        promisc=switch(own, "promiscMode"),
        ip_masq=switch(own, "ipMasq"),
        mtu=number(own, "mtu"),
        is_gateway=bool(switch(own, "isGateway") or switch(own, "isDefaultGateway")),
        ipam=word(ipam, "type"),
        ranges=_ranges(ipam),
        capabilities=tuple(key for key, value in child(own, "capabilities").items() if value is True),
        raw=fields,
    )


def _ranges(ipam: Fields) -> tuple[Prefix, ...]:
    """``subnet``, or ``ranges``: a list of lists of ranges, one list an address (host-local)."""
    subnets = [word(ipam, "subnet")] if word(ipam, "subnet") else []
    sets = ipam.get("ranges")
    for group in sets if isinstance(sets, list) else []:
        for entry in group if isinstance(group, list) else [group]:
            if not isinstance(entry, dict):
                raise NotUnderstoodError("a range is not an object")
            subnets += [word(entry, "subnet")] if word(entry, "subnet") else []
    # usePodCIDR is what Kubernetes' own configurations say for "the node's podCIDR"
    return tuple(parse_prefix(subnet) for subnet in subnets if subnet != "usePodCidr")
