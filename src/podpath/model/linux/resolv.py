"""The resolver's configuration (resolv.conf(5))."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podpath.model.origin import NOWHERE, Origin

MAX_NAMESERVERS = 3
"""MAXNS of glibc and of musl: further ones are never asked. Kubernetes refuses to write more."""
MAX_NDOTS = 15


class ResolvConf(msgspec.Struct, frozen=True):
    """``/etc/resolv.conf`` as glibc reads it."""

    file: str
    nameservers: tuple[int, ...] = ()
    """The servers that are asked, in this order: at most three."""
    ignored: tuple[int, ...] = ()
    """Those after the third."""
    search: tuple[str, ...] = ()
    """Of the last ``search`` or ``domain`` line."""
    options: Mapping[str, str] = {}
    """``{"ndots": "5", "rotate": ""}``; of an option given twice the last counts."""
    nameserver_origins: tuple[Origin, ...] = ()
    search_origin: Origin = NOWHERE
    options_origin: Origin = NOWHERE

    @property
    def ndots(self) -> int:
        """A name with fewer dots is tried with the search list first."""
        return min(self._number("ndots", 1), MAX_NDOTS)

    @property
    def timeout_s(self) -> int:
        """How long a server has to answer."""
        return self._number("timeout", 5)

    @property
    def attempts(self) -> int:
        """How often the whole list of servers is asked."""
        return self._number("attempts", 2)

    def _number(self, option: str, default: int) -> int:
        text = self.options.get(option, "")
        return int(text) if text.isascii() and text.isdigit() else default
