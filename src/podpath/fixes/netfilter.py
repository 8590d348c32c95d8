"""Rules and policies as iptables(8) and nft(8) take them."""

from __future__ import annotations

import re
import shlex

from podpath.model.edit import DeleteRule, InsertRule, SetChainPolicy

PROGRAMS = {
    ("nft", "ip"): "iptables-nft",
    ("nft", "ip6"): "ip6tables-nft",
    ("legacy", "ip"): "iptables-legacy",
    ("legacy", "ip6"): "ip6tables-legacy",
}
"""By back end and family: a bare ``iptables`` may write to the other back end."""

_APPENDED = re.compile(r"^(?:\[\d+:\d+\] )?-A \S+ ?")
_COUNTER = re.compile(r"counter packets \d+ bytes \d+")


def policy_steps(edit: SetChainPolicy) -> tuple[str, str]:
    """Set the policy, and set it back."""

    def command(policy: str) -> str:
        backend, family, table = edit.table.split("/", 2)
        program = PROGRAMS.get((backend, family))
        if program is not None:
            return f"{program}{_table(table)} -P {shlex.quote(edit.chain)} {policy.upper()}"
        chain = f"{family} {shlex.quote(table)} {shlex.quote(edit.chain)}"
        return f"nft 'add chain {chain} {{ policy {policy.lower()}; }}'"

    return command(edit.policy), command(edit.before) if edit.before else ""


def insert_steps(edit: InsertRule) -> tuple[str, str]:
    """Put a rule in, and take it out."""
    backend, family, table = edit.table.split("/", 2)
    program = PROGRAMS.get((backend, family))
    if program is None:
        return _nft_insert(family, table, edit), _nft_delete(family, table, edit.chain, edit.rule.text)
    chain, spec = shlex.quote(edit.chain), _spec(edit.rule.text)
    place = f" {edit.position + 1}" if edit.position > 0 else ""
    put = f"-A {chain}" if edit.position < 0 else f"-I {chain}{place}"
    return f"{program}{_table(table)} {put} {spec}", f"{program}{_table(table)} -D {chain} {spec}"


def delete_steps(edit: DeleteRule) -> tuple[str, str]:
    """Take a rule out; its undo puts it in front, where it stood being known only by line."""
    backend, family, table = edit.table.split("/", 2)
    program = PROGRAMS.get((backend, family))
    if program is None:
        chain = f"{family} {shlex.quote(table)} {shlex.quote(edit.chain)}"
        undo = f"nft {shlex.quote(f'insert rule {chain} {_plain(edit.rule.text)}')}"
        return _nft_delete(family, table, edit.chain, edit.rule.text), undo
    chain, spec = shlex.quote(edit.chain), _spec(edit.rule.text)
    return f"{program}{_table(table)} -D {chain} {spec}", f"{program}{_table(table)} -I {chain} {spec}"


def _table(table: str) -> str:
    return "" if table == "filter" else f" -t {shlex.quote(table)}"


def _spec(text: str) -> str:
    """What follows the chain's name, quoted for a shell (iptables-save quotes comments in its own way)."""
    spec = _APPENDED.sub("", text.strip())
    try:
        return shlex.join(shlex.split(spec))
    except ValueError:
        return spec


def _plain(text: str) -> str:
    """A rule without what it has counted."""
    return _COUNTER.sub("counter", text)


def _nft_insert(family: str, table: str, edit: InsertRule) -> str:
    chain = f"{family} {table} {edit.chain}"
    rule = _plain(edit.rule.text)
    if edit.position < 0:
        return f"nft {shlex.quote(f'add rule {chain} {rule}')}"
    index = f" index {edit.position}" if edit.position else ""
    return f"nft {shlex.quote(f'insert rule {chain}{index} {rule}')}"


def _nft_delete(family: str, table: str, chain: str, text: str) -> str:
    """A rule is deleted by its handle, which only ``nft -a`` prints: it is looked up by the rule's text."""
    place = f"{family} {shlex.quote(table)} {shlex.quote(chain)}"
    piece = max((part.strip() for part in _COUNTER.split(text)), key=len)
    found = f"nft -a list chain {place} | grep -F -- {shlex.quote(piece)} | head -1 | sed 's/.*# handle //'"
    return f'nft delete rule {place} handle "$({found})"'
