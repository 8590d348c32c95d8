"""Match modules whose options are known but whose answer no bundle holds, and modules that match no packet we walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from podpath.model.linux.xtables import Match, NeverMatch
from podpath.parse.iptables_grammar import Module, Notes, Option, options_text

PERHAPS = -1
"""An option with a value or without."""

OPAQUE: Mapping[str, Mapping[str, int]] = {
    "bpf": {"--bytecode": 1, "--object-pinned": 1},
    "cgroup": {"--path": 1, "--cgroup": 1},
    "cluster": {
        "--cluster-total-nodes": 1, "--cluster-local-node": 1, "--cluster-local-nodemask": 1,
        "--cluster-hash-seed": 1,
    },
    "connbytes": {"--connbytes": 1, "--connbytes-dir": 1, "--connbytes-mode": 1},
    "connlabel": {"--label": 1, "--set": 0},
    "connlimit": {
        "--connlimit-upto": 1, "--connlimit-above": 1, "--connlimit-mask": 1, "--connlimit-saddr": 0,
        "--connlimit-daddr": 0,
    },
    "cpu": {"--cpu": 1},
    "devgroup": {"--src-group": 1, "--dst-group": 1},
    "eui64": {},
    "hashlimit": {
        "--hashlimit": 1, "--hashlimit-upto": 1, "--hashlimit-above": 1, "--hashlimit-burst": 1,
        "--hashlimit-mode": 1, "--hashlimit-name": 1, "--hashlimit-srcmask": 1, "--hashlimit-dstmask": 1,
        "--hashlimit-htable-size": 1, "--hashlimit-htable-max": 1, "--hashlimit-htable-gcinterval": 1,
        "--hashlimit-htable-expire": 1, "--hashlimit-rate-match": 0, "--hashlimit-rate-interval": 1,
    },
    "helper": {"--helper": 1},
    "ipv6header": {"--header": 1, "--soft": 0},
    "ipvs": {
        "--ipvs": 0, "--vproto": 1, "--vaddr": 1, "--vport": 1, "--vdir": 1, "--vmethod": 1, "--vportctl": 1,
    },
    "osf": {"--genre": 1, "--ttl": 1, "--log": 1},
    "quota": {"--quota": 1},
    "rateest": {
        "--rateest": 1, "--rateest1": 1, "--rateest2": 1, "--rateest-delta": 0, "--rateest-lt": 0,
        "--rateest-gt": 0, "--rateest-eq": 0, "--rateest-bps": PERHAPS, "--rateest-pps": PERHAPS,
        "--rateest-bps1": PERHAPS, "--rateest-bps2": PERHAPS, "--rateest-pps1": PERHAPS, "--rateest-pps2": PERHAPS,
    },
    "realm": {"--realm": 1},
    "string": {"--algo": 1, "--from": 1, "--to": 1, "--string": 1, "--hex-string": 1, "--icase": 0},
    "tcpmss": {"--mss": 1},
    "time": {
        "--datestart": 1, "--datestop": 1, "--timestart": 1, "--timestop": 1, "--monthdays": 1, "--weekdays": 1,
        "--contiguous": 0, "--kerneltz": 0, "--localtz": 0, "--utc": 0,
    },
    "u32": {"--u32": 1},
}  # fmt: skip
"""Options of each module, and how many values each takes."""

NEVER: Mapping[str, Mapping[str, int]] = {
    "ah": {"--ahspi": 1, "--ahlen": 1, "--ahres": 0},
    "dccp": {
        "--sport": 1, "--source-port": 1, "--dport": 1, "--destination-port": 1, "--dccp-types": 1,
        "--dccp-option": 1,
    },
    "dst": {"--dst-len": 1, "--dst-opts": 1},
    "esp": {"--espspi": 1},
    "frag": {
        "--fragid": 1, "--fraglen": 1, "--fragres": 0, "--fragfirst": 0, "--fragmore": 0, "--fraglast": 0,
    },
    "hbh": {"--hbh-len": 1, "--hbh-opts": 1},
    "ipcomp": {"--ipcompspi": 1, "--compres": 0},
    "mh": {"--mh-type": 1},
    "rt": {
        "--rt-type": 1, "--rt-segsleft": 1, "--rt-len": 1, "--rt-0-res": 0, "--rt-0-addrs": 1,
        "--rt-0-not-strict": 0,
    },
    "srh": {
        "--srh-next-hdr": 1, "--srh-hdr-len-eq": 1, "--srh-hdr-len-gt": 1, "--srh-hdr-len-lt": 1,
        "--srh-segs-left-eq": 1, "--srh-segs-left-gt": 1, "--srh-segs-left-lt": 1, "--srh-last-entry-eq": 1,
        "--srh-last-entry-gt": 1, "--srh-last-entry-lt": 1, "--srh-tag": 1, "--srh-psid": 1, "--srh-nsid": 1,
        "--srh-lsid": 1,
    },
}  # fmt: skip
"""Headers that no TCP, UDP, ICMP or SCTP packet has: the kernel's match is then false, even with a ``!`` inside."""


def _opaque(name: str, options: Sequence[Option], notes: Notes) -> Sequence[Match]:
    return [notes.unknown(options_text(name, options), f"-m {name} is not evaluated")]


def _never(name: str, options: Sequence[Option], notes: Notes) -> Sequence[Match]:
    del options, notes
    return [NeverMatch(name)]


def opaque_modules() -> Iterator[tuple[str, Module]]:
    """The modules by name."""
    for name, values in OPAQUE.items():
        yield name, Module(values, _opaque)
    for name, values in NEVER.items():
        yield name, Module(values, _never)
