"""What a cluster promises: a flow that is to be delivered, and to whom."""

from __future__ import annotations

import msgspec

from podpath.model.flow import Flow
from podpath.model.origin import NOWHERE, Origin
from podpath.model.refs import ObjectRef


class Promise(msgspec.Struct, frozen=True, gc=False):
    """One promise, or one that stands for a class of equal ones.

    A promise is kept when every branch of the flow is delivered to one of ``servers``
    (to anybody outside when ``servers`` is None), and the reply comes back.
    """

    kind: str
    """service, node-port, load-balancer, external-ip, pod, node, outside, dns, api, kubelet, self."""
    flow: Flow
    subject: ObjectRef
    """Whose promise it is: the Service, the Pod that is to be reached, the node."""
    client: ObjectRef
    servers: frozenset[tuple[int, int]] | None
    """(address, port) of those that may answer. Port 0: any port."""
    text: str
    """In the user's words: ``ops/client on n1 -> Service shop/api:http``."""
    stands_for: int = 1
    needs_listener: bool = True
    """False: reaching the namespace is enough (Pods reach each other)."""
    origin: Origin = NOWHERE
    """The object's line."""
    port_name: str = ""


class NotPromised(msgspec.Struct, frozen=True, gc=False):
    """Why a flow that somebody may expect is not promised: it fails as designed."""

    reason: str
    """no-endpoints, local-policy, source-ranges, network-policy, port-not-in-service, unserved-name ..."""
    text: str
    subject: ObjectRef
    origin: Origin = NOWHERE
