"""Kernel parameters as ``sysctl -a`` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from podpath.model.origin import Origin


@dataclass(frozen=True, eq=False)
class Sysctls:
    """Values by key. A dot in an interface name is printed as ``/`` (``net.ipv4.conf.eth0/100.rp_filter``)."""

    file: str
    values: Mapping[str, str]
    lines: Mapping[str, int] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        """The value as printed, or None when no such key was printed."""
        return self.values.get(key)

    def number(self, key: str, default: int | None = None) -> int | None:
        """The value as a number; ``default`` when the key is absent or not a number."""
        text = self.values.get(key)
        try:
            return default if text is None else int(text)
        except ValueError:
            return default

    def conf(self, dev: str, name: str, *, v4: bool = True) -> int | None:
        """``net.ipv4.conf.<dev>.<name>`` (or ipv6)."""
        return self.number(conf_key(dev, name, v4=v4))

    def origin(self, key: str) -> Origin:
        """The line that states the key; without a line the key itself is the text."""
        value = self.values.get(key)
        return Origin(
            self.file, self.lines.get(key, 0), f"{key} = {value}" if value is not None else f"{key} (absent)"
        )

    def with_value(self, key: str, value: str) -> Sysctls:
        """A copy in which the key has another value. ``ip_forward`` copies to every device, as the kernel does."""
        values = dict(self.values)
        values[key] = value
        if key in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"):
            values["net.ipv4.ip_forward"] = values["net.ipv4.conf.all.forwarding"] = value
            prefix = "net.ipv4.conf."
            values |= {k: value for k in values if k.startswith(prefix) and k.endswith(".forwarding")}
        if key == "net.ipv6.conf.all.forwarding":
            values |= {
                k: value for k in values if k.startswith("net.ipv6.conf.") and k.endswith(".forwarding")
            }
        return Sysctls(self.file, values, self.lines)


@lru_cache(maxsize=1 << 14)
def conf_key(dev: str, name: str, *, v4: bool = True) -> str:
    """The key of a per-device parameter, with dots of the device written as ``/``."""
    return f"net.ipv{4 if v4 else 6}.conf.{dev.replace('.', '/')}.{name}"
