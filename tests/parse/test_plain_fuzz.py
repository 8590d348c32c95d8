"""Whatever a file holds, a parser gives facts and what it did not understand, or one ParseError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.model.origin import Unrecognized
from podpath.parse.bridge_fdb import parse_bridge_fdb
from podpath.parse.bridge_link import parse_bridge_link, parse_hairpin_mode
from podpath.parse.bridge_vlan import parse_bridge_vlan
from podpath.parse.cni_conf import parse_cni_conf
from podpath.parse.conntrack import parse_conntrack
from podpath.parse.conntrack_stats import parse_conntrack_stats
from podpath.parse.errors import ParseError
from podpath.parse.flat_yaml import parse_flat_yaml
from podpath.parse.ip_addr import parse_ip_addr
from podpath.parse.ip_link import parse_ip_link
from podpath.parse.ip_neigh import parse_ip_neigh
from podpath.parse.ip_nexthop import parse_ip_nexthop
from podpath.parse.ip_route import parse_ip_route
from podpath.parse.ip_rule import parse_ip_rule
from podpath.parse.klog import parse_log
from podpath.parse.kube_proxy_config import parse_kube_proxy_config
from podpath.parse.kube_proxy_log import parse_kube_proxy_log
from podpath.parse.kubelet_config import parse_kubelet_config
from podpath.parse.node_facts import (
    parse_flannel_subnet_env,
    parse_iptables_version,
    parse_os_release,
    parse_proxy_healthz,
    parse_selinux,
    parse_uname,
)
from podpath.parse.proc_net import parse_snmp, parse_snmp6, parse_softnet_stat
from podpath.parse.resolv_conf import parse_resolv_conf
from podpath.parse.ss import parse_ss
from podpath.parse.sysctl import parse_sysctl
from podpath.parse.tc import parse_tc_filter, parse_tc_qdisc

ROUTES = (
    '[{"type":"unicast","dst":"default","gateway":"10.0.0.1","dev":"e","table":"main","metric":7,"flags":["onlink"],'
    '"metrics":[{"mtu":1400}],"tos":"0x10","via":{"family":"inet6","host":"fe80::1"},"nhid":3},'
    '{"dst":"fd00::/64","nexthops":[{"gateway":"fe80::1","dev":"e","weight":2,"flags":[]}],"encap":"ip","pref":"low"}]'
)
LINKS = (
    '[{"ifindex":3,"ifname":"a","flags":["UP"],"mtu":1450,"link":"b","master":"br","promiscuity":1,"linkinfo":'
    '{"info_kind":"vxlan","info_data":{"id":1,"local":"10.0.0.1","port":8472,"learning":false},'
    '"info_slave_kind":"bridge","info_slave_data":{"hairpin":true,"state":"forwarding"}},"xdp":{"mode":1}}]'
)
RULES = (
    '[{"priority":5,"not":null,"src":"10.0.0.0","srclen":8,"fwmark":"0x5","fwmask":"0xff","ipproto":"tcp",'
    '"sport":5,"dport_start":1,"dport_end":9,"uid_start":1,"uid_end":2,"table":"7","suppress_prefixlen":0,"goto":9}]'
)
SAMPLES = [
    (parse_ip_route, ROUTES),
    (parse_ip_link, LINKS),
    (parse_ip_rule, RULES),
    (parse_ip_addr, '[{"ifindex":3,"ifname":"a","addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":8}]}]'),
    (parse_ip_neigh, '[{"dst":"10.0.0.1","dev":"e","lladdr":"02:00:00:00:00:77","state":["STALE"]}]'),
    (parse_ip_nexthop, '[{"id":3,"group":[{"id":1},{"id":2,"weight":5}]},{"id":1,"dev":"e"},{"id":2,"blackhole":null}]'),
    (parse_bridge_link, '[{"ifindex":6,"ifname":"a","flags":["UP"],"state":3,"hairpin":true,"isolated":"off"}]'),
    (parse_hairpin_mode, "/sys/class/net/a/brport/hairpin_mode:1\n"),
    (parse_bridge_fdb, '[{"mac":"02:00:00:00:00:05","ifname":"v","dst":"10.0.0.1","vni":1,"flags":["self"]}]'),
    (parse_bridge_vlan, '[{"ifname":"a","vlans":[{"vlan":1,"vlanEnd":9,"flags":["PVID"]}]}]'),
    (parse_bridge_vlan, '{"a":[{"vlan":1}]}'),
    (parse_sysctl, "net.ipv4.ip_forward = 1\nsysctl: permission denied\n"),
    (parse_ss, 'tcp LISTEN 0 128 *%eth0:80 [::]:* users:(("a",pid=1,fd=2)) v6only:0 skmem:(r0,d3)\n  more\n'),
    (parse_conntrack, "icmp 1 9 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=1 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=1 mark=0\n"),
    (parse_conntrack, "ipv4 2 tcp 6 9 LISTEN src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [ASSURED]\n"),
    (parse_conntrack_stats, "cpu=0 found=1 drop=2\n"),
    (parse_snmp, "Ip: A B\nIp: 1 2\n"),
    (parse_snmp6, "Ip6InReceives 5\n"),
    (parse_softnet_stat, "0013e093 00000000 00000001 00000000\n"),
    (parse_tc_qdisc, '[{"kind":"netem","handle":"1:","dev":"e","root":true,"options":{"loss-random":{"loss":0.1}},"drops":1}]'),
    (parse_tc_filter, "# dev e ingress\nfilter protocol all pref 1 bpf chain 0 handle 0x1\n  action order 1: gact action drop\n"),
    (parse_cni_conf, '{"name":"n","plugins":[{"type":"bridge","mtu":1,"ipam":{"ranges":[[{"subnet":"10.0.0.0/8"}]]}}]}'),
    (parse_flat_yaml, "a:\n  b: [1, 'x']\n  c: |\n    t\nd:\n- x\n"),
    (parse_kubelet_config, '{"clusterDNS":["10.0.0.1"],"port":1,"authentication":{"anonymous":{"enabled":true}}}'),
    (parse_kubelet_config, "clusterDNS:\n- 10.0.0.1\nport: 1\nauthentication:\n  anonymous:\n    enabled: true\n"),
    (parse_kube_proxy_config, '{"mode":"ipvs","clusterCIDR":"a,b","iptables":{"masqueradeBit":14,"masqueradeAll":false}}'),
    (parse_resolv_conf, "nameserver 10.0.0.1\nsearch a b\noptions ndots:5\n"),
    (parse_log, 'E1125 01:46:08.6 1 a.go:2] x err=<\n\ty\n{"level":"error","msg":"x"}\nlevel=warn msg="x\\"" a=b\n[ERROR] plugin/errors: x\n'),
    (parse_kube_proxy_log, "W1125 01:46:08.6 1 a.go:2] x\n"),
    (parse_uname, "Linux n1 6.1.0 #1 SMP x86_64 GNU/Linux\n"),
    (parse_os_release, 'ID=debian\nID_LIKE="a b"\n'),
    (parse_selinux, "Enforcing\n"),
    (parse_iptables_version, "iptables v1.8.9 (nf_tables)\n"),
    (parse_proxy_healthz, '{"lastUpdated":"a","healthy":true,"status":{"IPv4":{"healthy":true}}}'),
    (parse_flannel_subnet_env, "FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.0.0.1/24\nFLANNEL_MTU=1450\n"),
]  # fmt: skip
EACH = pytest.mark.parametrize(("parse", "sample"), SAMPLES, ids=lambda one: getattr(one, "__name__", ""))

PIECES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "",
            "{}",
            "[]",
            "null",
            "-1",
            '"x"',
            "1e999",
            "\n",
            "\t",
            " ",
            "=",
            ":",
            "[",
            "{",
            '"',
            "999999999999999999999",
            "\u0663",
            "\ud800",
        ]
    ),
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), max_size=4)


def survives(parse, text):
    try:
        _, lost = parse(text, "f")
    except ParseError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - that it is raised is allowed, not demanded
    else:
        assert all(isinstance(one, Unrecognized) and one.reason for one in lost)


@EACH
def test_the_sample_itself_is_understood(parse, sample):
    facts, lost = parse(sample, "f")
    assert facts is not None
    assert len(lost) == sample.count("permission denied")


@EACH
@given(edits=EDITS)
def test_a_damaged_file(parse, sample, edits):
    for place, length, piece in edits:
        at = int(place * len(sample))
        sample = sample[:at] + piece + sample[at + length :]
    survives(parse, sample)


@EACH
@given(text=st.text())
def test_any_text(parse, sample, text):
    survives(parse, text)
    survives(parse, sample + text)
