"""``sysctl -a``: the kernel parameters of one network namespace."""

from __future__ import annotations

from podpath.model.linux.sysctl import Sysctls
from podpath.model.origin import Origin, Unrecognized
from podpath.parse.text_lines import text_lines


def parse_sysctl(text: str, file: str) -> tuple[Sysctls, tuple[Unrecognized, ...]]:
    """The values by key; of a key that is printed twice the last counts."""
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    lost: list[Unrecognized] = []
    for line, content in text_lines(text):
        key, equals, value = content.partition("=")
        key = key.strip()
        if equals and key and " " not in key and "\t" not in key and ("." in key or "/" in key):
            if "/" in key:
                key = _dotted(key)
            values[key] = value.strip()
            lines[key] = line
        else:
            # sysctl: permission denied on key "net.ipv4.tcp_fastopen_key"
            lost.append(Unrecognized(Origin(file, line, content), _reason(content)))
    return Sysctls(file, values, lines), tuple(lost)


def _dotted(key: str) -> str:
    """A key with dots: sysctl(8) takes the first separator as the one, and the other stands for itself."""
    slash, dot = key.find("/"), key.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        return key.strip("/").translate(str.maketrans("/.", "./"))
    return key


def _reason(content: str) -> str:
    if content.startswith("sysctl:"):
        return "sysctl could not read this key"
    return "not of the form key = value"
