"""Which tables belong to iptables-nft, arptables-nft or ebtables-nft.

They have nft's form, but nft prints them with gaps (``xt match "conntrack"`` without its parameters), so they are read
from ``iptables-nft-save``, which prints a table by these rules (1.8.9, tried in tests/parse/test_nft_kernel.py): base
chains other than its own are left out with a remark, a rule with an expression that it does not know makes it refuse
the whole table, and a look-up in a set is left out of its rule in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from podpath.model.linux.netfilter import XT_CHAINS
from podpath.parse.nft_records import ChainRecord, RuleRecord

_ALL = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_FILTERING = ("INPUT", "FORWARD", "OUTPUT")
_IP: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "raw": {"PREROUTING": (-300,), "OUTPUT": (-300,)},
    "mangle": dict.fromkeys(_ALL, (-150,)),
    "nat": {"PREROUTING": (-100,), "INPUT": (100,), "OUTPUT": (-100,), "POSTROUTING": (100,)},
    "filter": dict.fromkeys(_FILTERING, (0,)),
    "security": dict.fromkeys(_FILTERING, (50, 150)),
}
OWN_CHAINS: Mapping[str, Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "ip": _IP,
    "ip6": _IP,
    "arp": {"filter": dict.fromkeys(_FILTERING, (0,))},
    "bridge": {
        "filter": dict.fromkeys(_FILTERING, (-200,)),
        "nat": {"PREROUTING": (-300,), "OUTPUT": (100,), "POSTROUTING": (300,)},
        "broute": {"BROUTING": (-(1 << 31), -310)},
    },
}
"""Their base chains by family and table, with priorities (xtables_ipv4, xtables_arp, xtables_bridge of nft.c)."""


def may_be_managed(family: str, table: str) -> bool:
    """Whether a table has the name of one of theirs."""
    return table in OWN_CHAINS.get(family, ())


def is_own(chain: ChainRecord) -> bool:
    """Whether a base chain is one that iptables-nft makes."""
    priorities = OWN_CHAINS.get(chain.family, {}).get(chain.table, {}).get(chain.name, ())
    return chain.prio in priorities and chain.hook == XT_CHAINS.get(chain.name, "prerouting")


def has_module(rule: RuleRecord) -> bool:
    """Whether a rule calls a match or target of iptables."""
    return b'"xt":' in bytes(rule.expr)


def is_managed(bases: list[ChainRecord], rules: Iterator[RuleRecord], *, has_sets: bool) -> bool:
    """Whether a table of a managed name is managed.

    One without base chains does nothing: chains that iptables left behind, unless sets say that it never made them.
    """
    if any(is_own(chain) for chain in bases) or any(has_module(rule) for rule in rules):
        return True
    return not bases and not has_sets


def asks_a_set(rule: RuleRecord) -> bool:
    """Whether a rule looks something up, which no rule of iptables does (``among`` of ebtables does)."""
    expr = bytes(rule.expr)
    return b'"@' in expr or b'{"set":' in expr or b'"vmap":' in expr
