"""All that a cluster promises, walked by classes: the sorts of Pods a node has, not its Pods."""

from __future__ import annotations

from collections.abc import Iterator

from podpath.intent.api_promises import api_promises, control_plane_promises
from podpath.intent.clients import Clients
from podpath.intent.dns import dns_promises
from podpath.intent.limits import LIMITS, Limits
from podpath.intent.permission import Permissions
from podpath.intent.pod_promises import outside_promises, pod_promises, probe_promises
from podpath.intent.service_promises import service_promises
from podpath.model.network import Network
from podpath.model.promise import NotPromised, Promise


def promises(network: Network, limits: Limits = LIMITS) -> Iterator[Promise | NotPromised]:
    """What is promised, and what somebody may expect that is not, in a fixed order.

    Each promise stands for all that the network cannot tell from it (``stands_for``). What fails as designed (a
    policy that denies, a Service without endpoints) is told as ``NotPromised``, with the reason.
    """
    clients = Clients(network, limits)
    permissions = Permissions(network)
    yield from pod_promises(clients, permissions)
    yield from service_promises(clients, permissions)
    yield from dns_promises(clients, permissions)
    yield from api_promises(clients, permissions)
    yield from control_plane_promises(clients)
    yield from probe_promises(clients)
    yield from outside_promises(clients, permissions)
