"""The log of kube-proxy."""

from __future__ import annotations

from podpath.model.linux.agents import LogLine
from podpath.model.origin import Unrecognized
from podpath.parse.klog import parse_log


def parse_kube_proxy_log(text: str, file: str) -> tuple[tuple[LogLine, ...], tuple[Unrecognized, ...]]:
    """Its complaints, and what it says of its mode (``Using iptables Proxier``) and of the node's addresses."""
    return parse_log(text, file)
