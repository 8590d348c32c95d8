"""One check that fails must not take the others down: the one place around a check that catches everything."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from podpath.model.diagnosis import CrashedCheck

T = TypeVar("T")


def guarded(code: str, work: Callable[[], T], crashed: list[CrashedCheck]) -> T | None:
    """What a check answers; None when it failed itself, which is then shown as our bug."""
    try:
        return work()
    except Exception:  # noqa: BLE001  whatever it is, the other checks go on
        crashed.append(CrashedCheck(code, traceback.format_exc()))
        return None
