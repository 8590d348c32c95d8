"""CNI network configurations (``/etc/cni/net.d``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podpath.model.addr import Prefix
from podpath.model.origin import NOWHERE, Origin

EXTENSIONS = (".conf", ".conflist", ".json")
"""What libcni's ``ConfFiles`` and containerd look for."""


class CniPlugin(msgspec.Struct, frozen=True):
    """One plugin of the chain. What a meta plugin passes on (``delegate``) counts as its own."""

    type: str
    bridge: str = ""
    hairpin_mode: bool | None = None
    """None when the configuration does not say: the bridge plugin's default is off."""
    promisc: bool | None = None
    ip_masq: bool | None = None
    mtu: int | None = None
    is_gateway: bool = False
    """``isGateway``, or ``isDefaultGateway`` which implies it."""
    ipam: str = ""
    """Type of the IPAM plugin: host-local, calico-ipam, dhcp ..."""
    ranges: tuple[Prefix, ...] = ()
    capabilities: tuple[str, ...] = ()
    raw: Mapping[str, object] = {}


class CniConfig(msgspec.Struct, frozen=True):
    """A network: the plugins are called in this order."""

    file: str
    name: str
    cni_version: str = ""
    plugins: tuple[CniPlugin, ...] = ()
    origin: Origin = NOWHERE

    @property
    def main(self) -> CniPlugin | None:
        """The plugin that makes the interface: the first."""
        return self.plugins[0] if self.plugins else None


def config_in_use(configs: Iterable[CniConfig]) -> CniConfig | None:
    """The configuration that the container runtime takes: the first by file name that has a plugin."""
    usable = [config for config in configs if config.plugins and config.file.endswith(EXTENSIONS)]
    return min(usable, key=lambda config: config.file.rpartition("/")[2], default=None)
