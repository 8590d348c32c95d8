"""Does ``nft -j list ruleset`` say more than iptables-nft-save?

On most nodes that kube-proxy serves with iptables it does not, and prints the same 100,000 rules once more in forty
megabytes of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from podpath.parse.nft_managed import is_own, may_be_managed
from podpath.parse.nft_records import ChainRecord

_TABLE = re.compile(r'\{"table":\s*(\{[^{}]*\})')
_BASE = re.compile(r'\{"chain":\s*(\{[^{}]*"hook":[^{}]*\})')
_FOREIGN = ('"@', '"vmap":', '{"set":', '{"map":', '{"meter":', '{"element":')
"""What no rule of iptables has: look-ups, and what is looked into."""


class _Named(msgspec.Struct, gc=False):
    family: str
    name: str


def managed_orders(text: str, known: Collection[tuple[str, str]]) -> dict[tuple[str, str], int] | None:
    """The places of the tables in nft's list, when it has none but those of iptables-nft.

    All must be in iptables-nft's own dump (``known``), and nobody may have put a chain or rule of another sort into
    them. None: the whole has to be read.
    """
    if any(sign in text for sign in _FOREIGN) or not text.rstrip().endswith("]}"):
        return None
    bases = [chain[1] for chain in _BASE.finditer(text)]
    if text.count('"hook":') != len(bases) or not all(map(_is_own, bases)):
        return None
    orders: dict[tuple[str, str], int] = {}
    for order, table in enumerate(_TABLE.finditer(text)):
        try:
            one = msgspec.json.decode(table[1], type=_Named)
        except msgspec.DecodeError:
            return None
        key = one.family, one.name
        if key not in known or not may_be_managed(*key):
            return None
        orders[key] = order
    return orders or None


def _is_own(chain: str) -> bool:
    try:
        return is_own(msgspec.json.decode(chain, type=ChainRecord))
    except msgspec.DecodeError:
        return False
