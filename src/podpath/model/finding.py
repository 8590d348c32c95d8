"""What a check found: a fault with its evidence, what it breaks, and its fix."""

from __future__ import annotations

import enum

import msgspec

from podpath.model.edit import Edit
from podpath.model.origin import Origin
from podpath.model.promise import Promise
from podpath.model.refs import ObjectRef


class Severity(enum.Enum):
    """How much it matters; in order of importance."""

    ERROR = "error"
    """Breaks a promise now."""
    WARNING = "warning"
    """Breaks nothing yet."""
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most important."""
        return ("error", "warning", "info").index(self.value)


class Confidence(enum.Enum):
    """How it is known."""

    PROVEN = "proven"
    """The edit keeps the promise in the model."""
    CERTAIN = "certain"
    """Stated by the evidence itself; the model does not hold what would have to change."""
    LIKELY = "likely"


class Fix(msgspec.Struct, frozen=True):
    """What to do: edits of the model, and the commands or words for people."""

    summary: str
    steps: tuple[str, ...] = ()
    """Commands or patches, in order; where they run stands in front (``n2: sysctl -w ...``)."""
    risk: str = ""
    """low, medium or high, and why; what survives a reboot."""
    edits: tuple[Edit, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """One fault. Evidence is never empty: see ``__post_init__``."""

    code: str
    """The fault's name in the catalogue; ``unnamed-<kind of step>`` for one that is not in it."""
    severity: Severity
    subject: ObjectRef
    message: str
    """One sentence."""
    evidence: tuple[Origin, ...]
    cause: str = ""
    """What the line does, in a few words."""
    confidence: Confidence = Confidence.PROVEN
    fix: Fix | None = None
    breaks: tuple[Promise, ...] = ()
    broken: int = 0
    """How many promises it breaks, with all that each stands for."""
    reason: str = ""
    """The reason behind the cause, where a log, an event or a counter tells it."""
    proof: str = ""
    consequences: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """A finding without evidence does not construct."""
        if not self.evidence:
            msg = f"a finding needs evidence: {self.code} {self.message}"
            raise ValueError(msg)
