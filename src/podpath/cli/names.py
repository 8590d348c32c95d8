"""What somebody asks in names, as flows: ``pod/ops/client`` and ``svc/shop/api:http``."""

from __future__ import annotations

from typing import NamedTuple

from podpath.cli.destinations import Target, targets
from podpath.cli.errors import UsageError
from podpath.cli.sources import Source, find_source
from podpath.cli.spec import parse_spec
from podpath.model.addr import is_v4
from podpath.model.flow import Flow, endpoint_text, protocol_name
from podpath.model.network import Network
from podpath.model.refs import NetnsId


class Question(NamedTuple):
    """One or more flows (a headless Service has one a Pod), and who is who in them."""

    flows: tuple[Flow, ...]
    src: str
    """``ops/client on n1``."""
    dst: tuple[str, ...]
    """Of each flow: ``Service shop/api:http``."""
    notes: tuple[str, ...] = ()
    """What was chosen where the names left a choice."""


def ask(network: Network, src: str, dst: str, *, size: int = 0, v6: bool = False) -> Question:
    """The flows from one name to another; ``UsageError`` with a sentence when there are none."""
    source_spec, spec = parse_spec(src), parse_spec(dst)
    source = find_source(network, source_spec, spec)
    chosen: list[Target] = []
    for v4 in (False,) if v6 else (True, False):
        if source.speaks(v4=v4):
            chosen = targets(network, spec, source, v4=v4)
        if chosen:
            break
    if not chosen:
        raise UsageError(_no_family(source, dst, v6=v6))
    flows = tuple(_flow(network, source, target, size) for target in chosen)
    notes = dict.fromkeys([source.note, *(target.note for target in chosen)])
    return Question(
        flows, source.label, tuple(target.label for target in chosen), tuple(note for note in notes if note)
    )


def _flow(network: Network, source: Source, target: Target, size: int) -> Flow:
    netns, addr = source.netns, source.bound
    if not netns and addr is None:
        addr = source.outside_address(network, target.addr)
    if addr is not None and is_v4(addr) != is_v4(target.addr):
        raise UsageError(f"{source.text} and {target.label} are of different address families")
    return Flow(NetnsId(netns), target.addr, target.protocol, target.port, src=addr, size=size)


def _no_family(source: Source, dst: str, *, v6: bool) -> str:
    if v6:
        return f"{source.text} and {dst} have no IPv6 addresses that could speak to each other"
    return f"{source.text} and {dst} have no addresses of the same family"


def flow_words(flow: Flow) -> str:
    """``10.96.0.1:443/tcp``."""
    return f"{endpoint_text(flow.dst, flow.dport)}/{protocol_name(flow.protocol)}"
