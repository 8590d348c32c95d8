"""Tables of sentences: what is set up, what is asked, and what the kernel answers."""

from __future__ import annotations

import pytest

from tests.kernel.sickbay import SICKBAY
from tests.kernel.topologies import Scene


def sentences(*cases: tuple[str, str, str]) -> pytest.MarkDecorator:
    """One test for each ``(sentence, set-up, questions)``."""
    params = [
        pytest.param(setup, questions, id=sentence, marks=_marks(sentence))
        for sentence, setup, questions in cases
    ]
    return pytest.mark.parametrize(("setup", "questions"), params)


def _marks(sentence: str) -> list[pytest.MarkDecorator]:
    reason = SICKBAY.get(sentence)
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


def set_up(one: Scene, where: str, script: str) -> None:
    """Run a set-up: lines in the namespace ``where``, or in another that a line names: ``a$ ip link ...``."""
    for line in script.strip().splitlines():
        name, dollar, command = line.strip().partition("$ ")
        if dollar and name in one.lab.spaces:
            one.lab[name].sh(command)
        elif line.strip():
            one.lab[where].sh(line.strip())
