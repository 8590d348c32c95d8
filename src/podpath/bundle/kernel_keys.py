"""Keys that the kernel prints: of WireGuard, IPsec and TCP."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podpath.bundle.secrets_in_text import Rule, pattern

_WG_KEY = re.compile(rb"[A-Za-z0-9+/]{43}=")


def _wireguard(content: bytes) -> Iterator[tuple[int, int]]:
    """Private and preshared keys in ``wg show all dump``. Public keys stay: they tell peers apart."""
    at = 0
    for line in content.split(b"\n"):
        columns = line.rstrip(b"\r").split(b"\t")
        public = _public_key_column(columns)
        for number, column in enumerate(columns):
            for key in _WG_KEY.finditer(column) if number != public else ():
                yield at + key.start(), at + key.end()
            at += len(column) + 1
        at += len(line) - len(line.rstrip(b"\r"))


def _public_key_column(columns: list[bytes]) -> int:
    """Where the public key stands in a line of wg(8), or -1 if the line has another shape, perhaps cut off.

    An interface is: private key, public key, port, mark. A peer is: public key, preshared key, endpoint, ranges,
    handshake, received, sent, keepalive. The word ``all`` puts the interface's name before either.
    """
    first = 0 if _WG_KEY.fullmatch(columns[0]) else 1
    if len(columns) == first + 8:
        return first
    return first + 1 if len(columns) == first + 4 and columns[first + 2].isdigit() else -1


KERNEL_KEYS = {
    "wg-show": Rule("WireGuard key", (b"=",), _wireguard),
    "xfrm-state": Rule(
        "IPsec key",
        (b"0x",),  # ip-xfrm(8): ALGO-TYPE ALGO-NAME ALGO-KEYMAT
        pattern(r"(?:^|[\s\\])(?:enc|auth|auth-trunc|aead)[ \t]+\S+[ \t]+(0x[0-9a-f]+)"),
    ),
    "sysctl": Rule(
        "key of the kernel",  # all zeros: not set
        (b"fastopen_key", b"stable_secret"),
        pattern(r"(?:tcp_fastopen_key|stable_secret)[ \t]*=[ \t]*(?![-0: \t,]*$)([^\s][^\r\n]*)"),
    ),
}
"""Secrets that the kernel prints, by source."""
