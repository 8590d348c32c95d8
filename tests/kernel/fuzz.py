"""Random rule sets, the kernel's verdict and ours: ``python -m tests.kernel.fuzz --minutes 5`` as root.

What differs is made smaller, by leaving out lines as long as it still differs, and printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random, SystemRandom
from typing import NamedTuple

from podpath.model.trace import Verdict
from tests.kernel.grammar import BRIDGED, ROUTED, Ground, Line, draw, script, sets
from tests.kernel.lab import RULES, CommandError, Space, remove_leftovers, why_not
from tests.kernel.referee import Question, ask_tracer, be_patient, disagreement, read_questions
from tests.kernel.topologies import Scene, bridged, routed, scene


class Place(NamedTuple):
    """A network for random rules: what it is built of, and what is asked in it."""

    ground: Ground
    build: Callable[[Scene], Space]
    flows: str
    ready: str
    cables: tuple[tuple[str, str], ...]
    """Hosts and the router's ends of their links."""


PLACES = {
    "routed": Place(
        ROUTED,
        routed,
        "a b:80; a b:8080; a b:81; a udp/b:53; a udp/b:54; a 10.96.0.1:80; a udp/10.96.0.1:53; a ra:80; a rb:8080; a udp/ra:53; b a:80; "
        "b ra:80; b 10.96.0.1:8080; r b:80; r udp/b:53; r b:81; r a:8080; r 10.96.0.1:80; r udp/10.96.0.1:53; r ra:80; r 127.0.0.1:80; "
        "a b6:80; a udp/b6:53; a [fd96::1]:80; a ra6:80; r b6:80; b a6:8080; a b:80*9000",
        "ip route add 10.96.0.0/16 via 10.2.0.2\nip -6 route add fd96::/64 via fd02::2\n",
        (("a", "ra"), ("b", "rb")),
    ),
    "bridged": Place(
        BRIDGED,
        bridged,
        "p1 p2:80; p1 p2:8080; p1 p2:81; p1 udp/p2:53; p1 udp/p2:54; p1 10.96.0.1:80; p1 udp/10.96.0.1:53; p1 br:80; p1 r:8080; p1 udp/br:53; "
        "p2 p1:80; p2 p3:80; p2 10.96.0.1:8080; r p2:80; r udp/p2:53; r p2:81; r p1:8080; r 10.96.0.1:80; r br:80; x r:80; x r:8080; x udp/r:53; "
        "p1 p26:80; p1 udp/p26:53; p1 [fd96::1]:80; p1 br6:80; r p26:80; p2 p16:8080; p1 p2:80*9000",
        "ip route add 10.96.0.0/16 via 10.9.0.2\nip -6 route add fd96::/64 via fd09::2\n",
        (("p1", "br0"), ("p2", "br0"), ("p3", "br0"), ("x", "rx")),
    ),
}


VIP = {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd96::1"], "ports": [{"port": 80}]}
"""An address of the cluster, so that nobody outside is thought to answer for it."""


class Arena:
    """A router between two hosts, whose rules are drawn by chance."""

    def __init__(self, one: Scene, place: Place) -> None:
        self.one, self.place = one, place
        self.router = place.build(one)
        self.router.sh(place.ready + sets(place.ground.v4))
        self._know_neighbours()
        one.lab.objects["services"].append({"metadata": {"name": "vip", "namespace": "t"}, "spec": VIP})
        one.lab.dump()

    def _know_neighbours(self) -> None:
        """Nobody needs to ask by ARP or ND, which rules might drop."""
        lab, own = self.one.lab, self.router.sh
        known = {host: _mac(lab[host], "eth0") for host, _ in self.place.cables}
        for host, dev in self.place.cables:
            gateway = _mac(self.router, dev)
            for number in ("", "6"):
                own(
                    f"ip neigh replace {lab.addresses[host + number]} lladdr {known[host]} dev {dev} nud permanent"
                )
                at = {"ra": "ra", "rb": "rb", "br0": "br", "rx": "r"}[dev] + number
                lab[host].sh(f"ip neigh replace {lab.addresses[at]} lladdr {gateway} dev eth0 nud permanent")
                for other, mac in known.items() if self.place.ground.bridged and host != "x" else ():
                    if other not in (host, "x"):
                        lab[host].sh(
                            f"ip neigh replace {lab.addresses[other + number]} lladdr {mac} dev eth0 nud permanent"
                        )

    def draw(self, seed: int) -> tuple[Line, ...]:
        """The rule set of a seed."""
        return draw(Random(seed), self.place.ground)  # noqa: S311  rules, not secrets

    def differences(self, lines: Sequence[Line], flows: str = "") -> list[Question]:
        """The questions that the kernel and we answer differently under these rules."""
        self.router.sh(script(lines))
        lab = self.one.lab
        network = lab.network("r", sources=CHANGING)
        questions = read_questions(lab, flows or self.place.flows)
        ask_tracer(lab, network, questions)
        be_patient(questions)
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


CHANGING = (*RULES, "sysctl", "ip-rule.json", "ip-route.json", "ip-link.json", "bridge-link.json")
"""What rules and switches change of a dump."""


def _mac(space: Space, dev: str) -> str:
    return space.sh(f"ip -o link show {dev}").split("link/ether ")[1].split()[0]


def _order_unknown(question: Question) -> bool:
    """Whether we say that we cannot tell, because no dump shows in which order x_tables and nf_tables were loaded."""
    ours = question.ours
    return (
        ours is not None
        and ours.verdict is Verdict.UNKNOWN
        and all("loaded last" in asked for asked in ours.questions)
    )


@contextmanager
def arena(name: str = "routed") -> Iterator[Arena]:
    """An arena that is removed in the end."""
    with scene() as one:
        yield Arena(one, PLACES[name])


def shown(lines: Sequence[Line], question: Question) -> str:
    """A difference, with the rules that show it."""
    return "\n".join(
        [
            disagreement(question),
            *(f"  {line.backend} {line.table} {line.chain}: {line.text}" for line in lines),
        ]
    )


def main() -> int:
    """Draw rule sets until the time is over."""
    options = argparse.ArgumentParser(prog="python -m tests.kernel.fuzz")
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--place", choices=PLACES, default="routed")
    options.add_argument("--seed", type=int, default=None, help="one rule set only: that of this seed")
    chosen = options.parse_args()
    reason = why_not()
    if reason:
        sys.exit(reason)
    remove_leftovers()
    found = tried = 0
    end = time.monotonic() + chosen.minutes * 60
    with arena(chosen.place) as here:
        while time.monotonic() < end:
            seed = chosen.seed if chosen.seed is not None else SystemRandom().randrange(1 << 32)
            lines = here.draw(seed)
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
