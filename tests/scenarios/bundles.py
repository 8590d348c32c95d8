"""Captured bundles as dictionaries of files, and changes to them: faults written into the evidence itself."""

from __future__ import annotations

import json
import pathlib
import re
import tarfile
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

CORPUS = pathlib.Path(__file__).parent.parent / "corpus"
Files = dict[str, bytes]
VXLAN, HOSTGW = "iptables-vxlan-healthy", "nftables-hostgw-healthy"


@lru_cache(maxsize=40)
def packed(name: str) -> tuple[tuple[str, bytes], ...]:
    """The files of a packed bundle."""
    with tarfile.open(CORPUS / f"{name}.tar.xz") as archive:
        found = [(member.name, archive.extractfile(member)) for member in archive if member.isfile()]
        return tuple((path.removeprefix("./"), file.read()) for path, file in found if file is not None)


def bundle(name: str) -> Files:
    """A fresh copy of a captured bundle."""
    return dict(packed(name))


def names() -> list[str]:
    """All captured bundles."""
    return sorted(path.name.removesuffix(".tar.xz") for path in CORPUS.glob("*.tar.xz"))


def text(files: Files, path: str) -> str:
    return files[path].decode()


def replace(files: Files, path: str, old: str, new: str, *, count: int = -1) -> None:
    """Change a text; it must be there."""
    before = text(files, path)
    assert old in before, f"{old!r} is not in {path}"
    files[path] = before.replace(old, new, count).encode()


def sysctl(files: Files, node: str, key: str, value: str) -> None:
    path = f"nodes/{node}/sysctl"
    before = text(files, path)
    after = re.sub(rf"^{re.escape(key)} = .*$", f"{key} = {value}", before, flags=re.MULTILINE)
    assert after != before, f"{key} is not {value} already"
    files[path] = after.encode()


def edit_json(files: Files, path: str, change: Callable[[Any], Any]) -> None:
    """Change a JSON file in place; what ``change`` returns, if anything, replaces it."""
    content = json.loads(files[path])
    changed = change(content)
    files[path] = json.dumps(content if changed is None else changed).encode()


def drop_entries(files: Files, path: str, unwanted: Callable[[dict[str, Any]], bool]) -> None:
    """Take entries out of a JSON array; at least one must go."""

    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [entry for entry in entries if not unwanted(entry)]
        assert len(kept) < len(entries), f"nothing to take out of {path}"
        return kept

    edit_json(files, path, change)


def change_entries(
    files: Files,
    path: str,
    wanted: Callable[[dict[str, Any]], bool],
    change: Callable[[dict[str, Any]], None],
) -> None:
    """Change entries of a JSON array; at least one must be there."""

    def every(entries: list[dict[str, Any]]) -> None:
        chosen = [entry for entry in entries if wanted(entry)]
        assert chosen, f"nothing to change in {path}"
        for entry in chosen:
            change(entry)

    edit_json(files, path, every)


def rule(
    files: Files, node: str, table: str, line: str, *, first: bool = True, source: str = "iptables-nft-save"
) -> None:
    """Put a rule (``-A CHAIN ...``) into a table, before or after the others of its chain."""
    path = f"nodes/{node}/{source}"
    lines = text(files, path).split("\n")
    start = lines.index(f"*{table}")
    end = lines.index("COMMIT", start)
    chain = line.split()[1]
    own = [i for i in range(start, end) if f"-A {chain} " in lines[i]]
    at = (
        (own[0] if first else own[-1] + 1)
        if own
        else next((i for i in range(start, end) if "-A " in lines[i]), end)
    )
    lines.insert(at, line)
    files[path] = "\n".join(lines).encode()


def drop_rules(files: Files, node: str, pattern: str, source: str = "iptables-nft-save") -> None:
    """Take the rules that match a pattern out of a dump; at least one must go."""
    path = f"nodes/{node}/{source}"
    lines = text(files, path).split("\n")
    kept = [line for line in lines if not ("-A " in line and re.search(pattern, line))]
    assert len(kept) < len(lines), f"no rule matches {pattern!r} in {path}"
    files[path] = "\n".join(kept).encode()


def items(files: Files, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files[f"api/{kind}.json"])["items"]
    return found


def pods_of(files: Files, app: str) -> list[tuple[str, str, str]]:
    """(node, namespace/name, address) of the Pods of an app."""
    found = [pod for pod in items(files, "pods") if pod["metadata"].get("labels", {}).get("app") == app]
    return [
        (p["spec"]["nodeName"], f"{p['metadata']['namespace']}/{p['metadata']['name']}", p["status"]["podIP"])
        for p in found
    ]


def pod_folder(node: str, pod: str) -> str:
    return f"nodes/{node}/pods/{pod.replace('/', '.', 1)}"


def port_of(files: Files, node: str, pod: str) -> str:
    """The host's end of a Pod's veth."""
    inside = json.loads(files[f"{pod_folder(node, pod)}/ip-link.json"])
    index = next(one["link_index"] for one in inside if one["ifname"] == "eth0")
    outside = json.loads(files[f"nodes/{node}/ip-link.json"])
    return str(next(one["ifname"] for one in outside if one["ifindex"] == index))


def renamed(files: Files, words: Iterable[tuple[str, str]]) -> Files:
    """Every occurrence of words (addresses by their beginning, names as whole words) under another name, in paths too."""

    def change(content: str) -> str:
        for old, new in words:
            address = old.endswith(".")
            pattern = rf"(?<![\w.]){re.escape(old)}" if address else rf"(?<!\w){re.escape(old)}(?!\w)"
            content = re.sub(pattern, new, content)
        return content

    return {
        "/".join(change(part) for part in path.split("/")): change(content.decode()).encode()
        for path, content in files.items()
    }
