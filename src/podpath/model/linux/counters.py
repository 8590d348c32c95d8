"""What the kernel counts: conntrack, the protocols (``/proc/net/snmp``), the receive path and queueing disciplines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from podpath.model.origin import NOWHERE, Origin


class ConntrackStats(msgspec.Struct, frozen=True):
    """``conntrack -S``: what one CPU counted (``insert_failed``, ``drop``, ``early_drop``, ``search_restart`` ...)."""

    cpu: int
    counters: Mapping[str, int]
    origin: Origin = NOWHERE


@dataclass(frozen=True, eq=False)
class SnmpCounters:
    """``/proc/net/snmp``, ``netstat`` and ``snmp6`` as one mapping: ``Ip.InAddrErrors``, ``TcpExt.ListenDrops``."""

    file: str
    values: Mapping[str, int]
    lines: Mapping[str, int] = field(default_factory=dict)

    def get(self, key: str) -> int | None:
        """The counter, or None when the kernel does not have it."""
        return self.values.get(key)

    def origin(self, key: str) -> Origin:
        """The line that states the counter, which is the text."""
        value = self.values.get(key)
        return Origin(
            self.file, self.lines.get(key, 0), f"{key} {value}" if value is not None else f"{key} (absent)"
        )


class SoftnetCpu(msgspec.Struct, frozen=True, gc=False):
    """A line of ``/proc/net/softnet_stat`` (softnet_seq_show in net/core/net-procfs.c)."""

    cpu: int
    processed: int
    dropped: int
    """The backlog was full (``net.core.netdev_max_backlog``)."""
    time_squeeze: int
    """The budget ran out before the queue did (``net.core.netdev_budget``)."""
    received_rps: int = 0
    flow_limit: int = 0
    origin: Origin = NOWHERE


class Qdisc(msgspec.Struct, frozen=True, gc=False):
    """``tc -s -j qdisc``: a queueing discipline and what it counted."""

    dev: str
    kind: str
    handle: str = ""
    parent: str = ""
    root: bool = False
    bytes: int = 0
    packets: int = 0
    drops: int = 0
    overlimits: int = 0
    requeues: int = 0
    backlog: int = 0
    qlen: int = 0
    options: str = ""
    """As words, where the kind limits or loses packets on purpose: ``netem loss 10%``, ``tbf rate ...``."""
    origin: Origin = NOWHERE


class TcFilter(msgspec.Struct, frozen=True, gc=False):
    """``tc filter show``: a classifier. What it does to a packet is not modelled."""

    dev: str
    """Empty when neither the line nor a heading says it."""
    parent: str
    """``ingress``, ``egress`` or the class it hangs on (``1:``)."""
    kind: str
    """bpf flower u32 matchall ..."""
    protocol: str = ""
    pref: int = 0
    bpf: bool = False
    actions: tuple[str, ...] = ()
    """Kinds of the actions it takes: ``gact drop``, ``mirred redirect``, ``direct-action`` of an eBPF program."""
    origin: Origin = NOWHERE
