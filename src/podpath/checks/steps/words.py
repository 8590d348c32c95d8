"""Names and numbers as sentences have them."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[object], most: int = 4) -> str:
    """``a, b and c``; of many the first few, and how many more."""
    texts = [str(name) for name in names]
    if len(texts) > most:
        return f"{', '.join(texts[:most])} and {len(texts) - most} more"
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 route``, ``3 routes``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
