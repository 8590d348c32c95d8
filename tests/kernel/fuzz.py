"""Random rule sets, the kernel's verdict and ours: ``python -m tests.kernel.fuzz --minutes 5`` as root.

What differs is made smaller, by leaving out lines as long as it still differs, and printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from random import Random, SystemRandom

from podpath.model.trace import Verdict
from tests.kernel.grammar import SETS, Line, draw, script
from tests.kernel.lab import RULES, CommandError, remove_leftovers, why_not
from tests.kernel.prober import IMPATIENT_S, PATIENT_S
from tests.kernel.referee import ANSWERS, Question, ask_tracer, disagreement, read_questions
from tests.kernel.topologies import Scene, routed, scene

FLOWS = (
    "a b:80; a b:8080; a b:81; a udp/b:53; a udp/b:54; a 10.96.0.1:80; a udp/10.96.0.1:53; a ra:80; a rb:8080; a udp/ra:53; "
    "b a:80; b ra:80; b 10.96.0.1:8080; r b:80; r udp/b:53; r b:81; r a:8080; r 10.96.0.1:80; r udp/10.96.0.1:53; r ra:80; r 127.0.0.1:80; "
    "a b6:80; a udp/b6:53; a [fd96::1]:80; a ra6:80; r b6:80; b a6:8080"
)
READY = """
ip route add 10.96.0.0/16 via 10.2.0.2
ip -6 route add fd96::/64 via fd02::2
"""


class Arena:
    """A router between two hosts, whose rules are drawn by chance."""

    def __init__(self, one: Scene) -> None:
        self.one = one
        self.router = routed(one)
        self.router.sh(READY + "".join(f"ipset create {name} {kind}\n" + "".join(f"ipset add {name} {e}\n" for e in elements) for name, (kind, elements) in SETS.items()))
        self._know_neighbours()
        one.lab.dump()

    def _know_neighbours(self) -> None:
        """Nobody needs to ask by ARP or ND, which rules might drop."""
        lab = self.one.lab
        for host in ("a", "b"):
            macs = {}
            for space, dev in ((host, "eth0"), ("r", f"r{host}")):
                macs[space] = lab[space].sh(f"ip -o link show {dev}").split("link/ether ")[1].split()[0]
            for number in ("", "6"):
                lab[host].sh(f"ip neigh replace {lab.addresses[f'r{host}{number}']} lladdr {macs['r']} dev eth0 nud permanent")
                self.router.sh(f"ip neigh replace {lab.addresses[f'{host}{number}']} lladdr {macs[host]} dev r{host} nud permanent")

    def differences(self, lines: Sequence[Line], flows: str = FLOWS) -> list[Question]:
        """The questions that the kernel and we answer differently under these rules."""
        self.router.sh(script(lines))
        lab = self.one.lab
        network = lab.network("r", sources=RULES)
        questions = read_questions(lab, flows)
        ask_tracer(lab, network, questions)
        for question in questions:
            question.probe.patience_s = PATIENT_S if _answered(question) else IMPATIENT_S
        self.one.prober.probe([question.probe for question in questions])
        return [question for question in questions if disagreement(question) and not _order_unknown(question)]

    def smaller(self, lines: Sequence[Line], question: Question) -> tuple[Line, ...]:
        """As few of the lines as still show the difference."""
        kept, flow = list(lines), question.text
        size = max(len(kept) // 2, 1)
        while True:
            at, shrunk = 0, False
            while at < len(kept):
                fewer = kept[:at] + kept[at + size :]
                if self._still(fewer, flow):
                    kept, shrunk = fewer, True
                else:
                    at += size
            if size == 1 and not shrunk:
                return tuple(kept)
            size = max(size // 2, 1)

    def _still(self, lines: Sequence[Line], flow: str) -> bool:
        try:
            return bool(self.differences(lines, flow))
        except CommandError:
            return False


def _answered(question: Question) -> bool:
    ours = question.ours
    return ours is not None and any(b.works or ANSWERS.get(b.symptom) not in ("timeout", "hangs") for b in ours.branches)


def _order_unknown(question: Question) -> bool:
    """Whether we say that we cannot tell, because no dump shows in which order x_tables and nf_tables were loaded."""
    ours = question.ours
    return ours is not None and ours.verdict is Verdict.UNKNOWN and all("loaded last" in asked for asked in ours.questions)


@contextmanager
def arena():
    """An arena that is removed in the end."""
    with scene() as one:
        yield Arena(one)


def shown(lines: Sequence[Line], question: Question) -> str:
    """A difference, with the rules that show it."""
    return "\n".join([disagreement(question), *(f"  {line.backend} {line.table} {line.chain}: {line.text}" for line in lines)])


def main() -> int:
    """Draw rule sets until the time is over."""
    options = argparse.ArgumentParser(prog="python -m tests.kernel.fuzz")
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=None, help="one rule set only: that of this seed")
    chosen = options.parse_args()
    reason = why_not()
    if reason:
        sys.exit(reason)
    remove_leftovers()
    found = tried = 0
    end = time.monotonic() + chosen.minutes * 60
    with arena() as here:
        while time.monotonic() < end:
            seed = chosen.seed if chosen.seed is not None else SystemRandom().randrange(1 << 32)
            lines = draw(Random(seed))
            tried += 1
            try:
                differences = here.differences(lines)
            except CommandError as error:
                print(f"seed {seed} does not load: {error}"[-600:])
                differences = []
            for question in differences[:1]:
                found += 1
                kept = here.smaller(lines, question)
                again = here.differences(kept, question.text)
                print(f"seed {seed}:", shown(kept, again[0] if again else question), flush=True)
            if chosen.seed is not None:
                break
    print(f"{tried} rule sets, {found} with a difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
