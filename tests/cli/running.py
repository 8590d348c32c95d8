"""Runs ``podpath`` as a user would: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNWANTED = ("PODPATH_BUNDLE", "PODPATH_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


def podpath(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Its output and exit code; no terminal anywhere."""
    return subprocess.run(
        [sys.executable, "-m", "podpath", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=an_environment(**environment),
    )


def an_environment(**more: str) -> dict[str, str]:
    """Ours, without what would change the output."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **more}
