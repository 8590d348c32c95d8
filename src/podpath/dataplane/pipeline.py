"""The one table of stages: what happens to a packet, in which order, and what comes after what.

``docs/packet-path.md`` is printed from it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import NamedTuple

from podpath.dataplane.stages import bridge, forward, local, output, receive, transmit, underlay
from podpath.dataplane.walk import MOST_STAGES, Outcome, Walk
from podpath.model.trace import Disposition, Step, Symptom


class Stage(enum.Enum):
    """The stages of a packet's way."""

    __hash__ = (
        object.__hash__
    )  # a member is itself alone; Enum's own is a function of Python, asked at every stage
    ROUTE_OUTPUT = "route out"
    OUTPUT = "OUTPUT"
    POSTROUTING = "POSTROUTING"
    TRANSMIT = "transmit"
    ENCAPSULATE = "wrap for the tunnel"
    BRIDGE_SEND = "bridge, from the host"
    PORT_SEND = "bridge port, out"
    CABLE = "veth"
    WIRE = "underlay"
    RECEIVE = "device"
    BRIDGE_IN = "bridge port, in"
    BRIDGE_DECIDE = "bridge"
    PREROUTING = "PREROUTING"
    ROUTE_INPUT = "route in"
    FORWARD = "forward"
    FORWARD_HOOK = "FORWARD"
    INPUT = "INPUT"
    DELIVER = "deliver"


class Spec(NamedTuple):
    """What runs at a stage, and which stage follows each of its outcomes."""

    run: Callable[[Walk], Outcome]
    then: Mapping[Outcome, Stage]


PIPELINE: Mapping[Stage, Spec] = {
    Stage.ROUTE_OUTPUT: Spec(output.route_output, {Outcome.NEXT: Stage.OUTPUT}),
    Stage.OUTPUT: Spec(output.output_hook, {Outcome.NEXT: Stage.POSTROUTING}),
    Stage.POSTROUTING: Spec(output.postrouting_hook, {Outcome.NEXT: Stage.TRANSMIT}),
    Stage.TRANSMIT: Spec(
        transmit.transmit,
        {
            Outcome.LOOPBACK: Stage.PREROUTING,
            Outcome.BRIDGE: Stage.BRIDGE_SEND,
            Outcome.CABLE: Stage.CABLE,
            Outcome.WIRE: Stage.WIRE,
            Outcome.TUNNEL: Stage.ENCAPSULATE,
        },
    ),
    Stage.ENCAPSULATE: Spec(transmit.encapsulate, {Outcome.NEXT: Stage.ROUTE_OUTPUT}),
    Stage.BRIDGE_SEND: Spec(bridge.bridge_send, {Outcome.ACROSS: Stage.PORT_SEND}),
    Stage.PORT_SEND: Spec(bridge.port_send, {Outcome.CABLE: Stage.CABLE, Outcome.WIRE: Stage.WIRE}),
    Stage.CABLE: Spec(transmit.cable, {Outcome.NEXT: Stage.RECEIVE}),
    Stage.WIRE: Spec(underlay.wire, {Outcome.NEXT: Stage.RECEIVE}),
    Stage.RECEIVE: Spec(receive.receive, {Outcome.NEXT: Stage.PREROUTING, Outcome.BRIDGE: Stage.BRIDGE_IN}),
    Stage.BRIDGE_IN: Spec(bridge.bridge_in, {Outcome.NEXT: Stage.BRIDGE_DECIDE}),
    Stage.BRIDGE_DECIDE: Spec(
        bridge.bridge_decide, {Outcome.UP: Stage.PREROUTING, Outcome.ACROSS: Stage.PORT_SEND}
    ),
    Stage.PREROUTING: Spec(receive.prerouting, {Outcome.NEXT: Stage.ROUTE_INPUT}),
    Stage.ROUTE_INPUT: Spec(
        receive.route_input, {Outcome.LOCAL: Stage.INPUT, Outcome.FORWARD: Stage.FORWARD}
    ),
    Stage.FORWARD: Spec(forward.forward, {Outcome.NEXT: Stage.FORWARD_HOOK}),
    Stage.FORWARD_HOOK: Spec(forward.forward_hook, {Outcome.NEXT: Stage.POSTROUTING}),
    Stage.INPUT: Spec(receive.input_hook, {Outcome.NEXT: Stage.DELIVER}),
    Stage.DELIVER: Spec(local.deliver, {Outcome.DECAPSULATED: Stage.RECEIVE}),
}


def run(walk: Walk, start: Stage) -> None:
    """Follow one packet from a stage to its end."""
    stage = start
    while True:
        walk.visited += 1
        if walk.visited > MOST_STAGES:
            step = Step("end", "the packet goes in a circle", kind="ttl-expired", packet=walk.packet)
            walk.end(Disposition.LOOP, Symptom.TIMEOUT, step)
            return
        spec = PIPELINE[stage]
        outcome = spec.run(walk)
        if outcome is Outcome.END:
            return
        stage = spec.then[outcome]
