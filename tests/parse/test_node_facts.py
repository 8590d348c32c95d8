"""Files of a node that state one fact each."""

import pytest

from podpath.model.addr import parse_addr, parse_prefix
from podpath.parse.node_facts import (
    parse_flannel_subnet_env,
    parse_iptables_version,
    parse_node_facts,
    parse_os_release,
    parse_proxy_healthz,
    parse_selinux,
    parse_uname,
)


def fact(result):
    found, lost = result
    assert lost == ()
    return found


@pytest.mark.parametrize(
    ("text", "release", "hostname", "machine", "version"),
    [
        ("Linux n1 6.18.44 #1 SMP PREEMPT_DYNAMIC @0 x86_64 GNU/Linux\n", "6.18.44", "n1", "x86_64", (6, 18)),
        (
            "Linux n1 5.15.0-91-generic #101-Ubuntu SMP x86_64 x86_64 x86_64 GNU/Linux",
            "5.15.0-91-generic",
            "n1",
            "x86_64",
            (5, 15),
        ),
        ("6.1.0-rc1+\n", "6.1.0-rc1+", "", "", (6, 1)),
        ("4.18.0-513.el8.x86_64", "4.18.0-513.el8.x86_64", "", "", (4, 18)),
    ],
)
def test_uname(text, release, hostname, machine, version):
    found = fact(parse_uname(text, "f"))
    assert (found.release, found.hostname, found.machine, found.version) == (
        release,
        hostname,
        machine,
        version,
    )


def test_os_release():
    found = fact(
        parse_os_release(
            'PRETTY_NAME="Ubuntu 22.04"\nID=ubuntu\n# x\nID_LIKE="debian"\nVERSION_ID="22.04"\n', "f"
        )
    )
    assert (found.id, found.version_id, found.pretty_name, found.id_like) == (
        "ubuntu",
        "22.04",
        "Ubuntu 22.04",
        ("debian",),
    )


@pytest.mark.parametrize("text", ["Enforcing\n", "enforcing"])
def test_selinux(text):
    assert fact(parse_selinux(text, "f")).mode == "enforcing"


@pytest.mark.parametrize(
    ("text", "version", "backend"),
    [
        ("iptables v1.8.9 (nf_tables)\n", "1.8.9", "nf_tables"),
        ("iptables v1.8.7 (legacy)", "1.8.7", "legacy"),
        ("iptables v1.6.1", "1.6.1", "legacy"),
    ],
)
def test_iptables_version(text, version, backend):
    found = fact(parse_iptables_version(text, "f"))
    assert (found.version, found.backend) == (version, backend)


@pytest.mark.parametrize(
    ("text", "healthy", "eligible", "families"),
    [
        ('{"lastUpdated":"a","currentTime":"b","nodeEligible":true,"healthy":false,"status":{"IPv4":{"healthy":true},"IPv6":{"healthy":false}}}',
         False, True, {"IPv4": True, "IPv6": False}),
        ('{"lastUpdated": "a","currentTime": "b", "nodeEligible": false}', None, False, {}),
        ('{"lastUpdated": "a","currentTime": "b"}', None, None, {}),
    ],
)  # fmt: skip
def test_proxy_healthz(text, healthy, eligible, families):
    found = fact(parse_proxy_healthz(text, "f"))
    assert (found.healthy, found.node_eligible, found.families, found.last_updated) == (
        healthy,
        eligible,
        families,
        "a",
    )


def test_flannel_subnet_env():
    found = fact(
        parse_flannel_subnet_env(
            "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
            "f",
        )
    )
    assert (found.networks, found.mtu, found.ip_masq) == ((parse_prefix("10.1.0.0/16"),), 1450, True)
    assert found.gateways == (parse_addr("10.1.2.1"), parse_addr("fd00::1"))
    assert found.subnets == (parse_prefix("10.1.2.0/24"), parse_prefix("fd00::/64"))


PARSERS = [
    parse_uname,
    parse_os_release,
    parse_selinux,
    parse_iptables_version,
    parse_proxy_healthz,
    parse_flannel_subnet_env,
]


@pytest.mark.parametrize("parse", PARSERS)
def test_an_empty_file_states_nothing(parse):
    assert parse("\n", "f") == (None, ())


@pytest.mark.parametrize("parse", PARSERS)
def test_an_error_of_the_command_is_kept_aside(parse):
    found, lost = parse("bash: not found", "f")
    assert (found, len(lost)) == (None, 1)


def test_the_facts_of_a_node():
    facts, lost = parse_node_facts(
        {"nodes/a/uname": "6.1.0", "nodes/a/selinux": "odd", "nodes/a/sysctl": "x"}
    )
    assert facts.uname
    assert (facts.uname.release, facts.selinux, facts.proxy) == ("6.1.0", None, None)
    assert [one.origin.file for one in lost] == ["nodes/a/selinux"]
