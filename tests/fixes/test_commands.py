"""Edits as commands: what people type, where, and what takes it back."""

import shlex
import subprocess

import pytest

from podpath.fixes.commands import planned
from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.edit import (
    AddRoute,
    DeleteNeighbor,
    DeleteRoute,
    DeleteRoutingRule,
    DeleteRule,
    InsertRule,
    Outside,
    PatchObject,
    ReplaceRoute,
    SetBridgePort,
    SetChainPolicy,
    SetFdb,
    SetLink,
    SetNeighbor,
    SetSysctl,
)
from podpath.model.linux.link import BridgePort, Link
from podpath.model.linux.neighbor import FdbEntry, Neighbor
from podpath.model.linux.netfilter import Rule
from podpath.model.linux.route import NextHop, Route, RoutingRule
from podpath.model.refs import NetnsId, ObjectRef

NODE = NetnsId("node/n2")
CNI0 = Link("cni0", 4, "bridge", 1450, up=False, mac="aa:bb:cc:dd:ee:ff")


def a_rule(text):
    return Rule(12, text, ())


def a_route(dst="10.244.2.0/24", via="172.30.0.13", dev="eth0", **fields):
    hop = NextHop(dev, parse_addr(via) if via else None)
    return Route(parse_prefix(dst), nexthops=(hop,), **fields)


COMMANDS = [
    (
        SetSysctl(NODE, "net.ipv4.ip_forward", "1", "0"),
        "sysctl -w net.ipv4.ip_forward=1",
        "sysctl -w net.ipv4.ip_forward=0",
    ),
    (SetSysctl(NODE, "net.ipv4.ip_forward", "1"), "sysctl -w net.ipv4.ip_forward=1", ""),
    (
        SetChainPolicy(NODE, "nft/ip/filter", "FORWARD", "accept", "drop"),
        "iptables-nft -P FORWARD ACCEPT",
        "iptables-nft -P FORWARD DROP",
    ),
    (
        SetChainPolicy(NODE, "native/inet/corpfw", "guard", "accept", "drop"),
        "nft 'add chain inet corpfw guard { policy accept; }'",
        "nft 'add chain inet corpfw guard { policy drop; }'",
    ),
    (
        InsertRule(NODE, "nft/ip/filter", "FORWARD", a_rule("-A FORWARD -s 10.244.0.0/16 -j ACCEPT")),
        "iptables-nft -I FORWARD -s 10.244.0.0/16 -j ACCEPT",
        "iptables-nft -D FORWARD -s 10.244.0.0/16 -j ACCEPT",
    ),
    (
        InsertRule(NODE, "legacy/ip6/nat", "POSTROUTING", a_rule("-A POSTROUTING -j MASQUERADE"), 3),
        "ip6tables-legacy -t nat -I POSTROUTING 4 -j MASQUERADE",
        "ip6tables-legacy -t nat -D POSTROUTING -j MASQUERADE",
    ),
    (
        InsertRule(NODE, "nft/ip/filter", "FORWARD", a_rule("-A FORWARD -j KUBE-FORWARD"), -1),
        "iptables-nft -A FORWARD -j KUBE-FORWARD",
        "iptables-nft -D FORWARD -j KUBE-FORWARD",
    ),
    (
        DeleteRule(
            NODE, "nft/ip/filter", "INPUT", a_rule("[7:420] -A INPUT -p udp -m udp --dport 8472 -j DROP")
        ),
        "iptables-nft -D INPUT -p udp -m udp --dport 8472 -j DROP",
        "iptables-nft -I INPUT -p udp -m udp --dport 8472 -j DROP",
    ),
    (
        AddRoute(NODE, a_route()),
        "ip route add 10.244.2.0/24 via 172.30.0.13 dev eth0",
        "ip route del 10.244.2.0/24 via 172.30.0.13 dev eth0",
    ),
    (
        DeleteRoute(NODE, Route(parse_prefix("10.244.2.0/24"), type="blackhole")),
        "ip route del blackhole 10.244.2.0/24",
        "ip route add blackhole 10.244.2.0/24",
    ),
    (
        ReplaceRoute(NODE, a_route(via="172.30.0.99"), a_route()),
        "ip route replace 10.244.2.0/24 via 172.30.0.13 dev eth0",
        "ip route replace 10.244.2.0/24 via 172.30.0.99 dev eth0",
    ),
    (
        AddRoute(NODE, a_route("::/0", "fd00::1", table="200", metric=10)),
        "ip -6 route add default via fd00::1 dev eth0 table 200 metric 10",
        "ip -6 route del default via fd00::1 dev eth0 table 200 metric 10",
    ),
    (
        DeleteRoutingRule(NODE, RoutingRule(30200, src=parse_prefix("10.0.0.0/8"), table="30200")),
        "ip rule del priority 30200 from 10.0.0.0/8 lookup 30200",
        "ip rule add priority 30200 from 10.0.0.0/8 lookup 30200",
    ),
    (
        SetNeighbor(NODE, Neighbor(parse_addr("10.244.1.0"), "flannel.1", "ce:49:d9:46:35:b7", "PERMANENT")),
        "ip neigh replace 10.244.1.0 lladdr ce:49:d9:46:35:b7 dev flannel.1 nud permanent",
        "ip neigh del 10.244.1.0 dev flannel.1",
    ),
    (
        DeleteNeighbor(NODE, Neighbor(parse_addr("172.30.0.13"), "eth0", "02:00:00:00:00:01", "PERMANENT")),
        "ip neigh del 172.30.0.13 dev eth0",
        "ip neigh replace 172.30.0.13 lladdr 02:00:00:00:00:01 dev eth0 nud permanent",
    ),
    (
        SetFdb(
            NODE,
            FdbEntry(
                "ce:49:d9:46:35:b7", "flannel.1", parse_addr("172.30.0.12"), self_=True, state="permanent"
            ),
        ),
        "bridge fdb replace ce:49:d9:46:35:b7 dev flannel.1 dst 172.30.0.12 self permanent",
        "bridge fdb del ce:49:d9:46:35:b7 dev flannel.1 dst 172.30.0.12 self permanent",
    ),
    (SetLink(NODE, CNI0, CNI0, "up"), "ip link set dev cni0 up", "ip link set dev cni0 down"),
    (SetLink(NODE, CNI0, CNI0, "mtu 1400"), "ip link set dev cni0 mtu 1400", "ip link set dev cni0 mtu 1450"),
    (SetLink(NODE, CNI0, CNI0, "type vxlan id 7"), "ip link set dev cni0 type vxlan id 7", ""),
    (
        SetBridgePort(NODE, Link("veth1", 9, "veth", 1450, up=True, port=BridgePort()), CNI0, "hairpin on"),
        "bridge link set dev cni0 hairpin on",
        "bridge link set dev cni0 hairpin off",
    ),
]


@pytest.mark.parametrize(("edit", "command", "undo"), COMMANDS, ids=[command for _, command, _ in COMMANDS])
def test_an_edit_is_a_command_on_its_node_and_another_takes_it_back(edit, command, undo):
    step = planned(edit)
    assert (step.command, step.undo, step.where) == (command, undo, "n2")
    assert str(step) == f"n2: {command}"
    assert step.persistence


def test_a_pods_namespace_is_named_as_the_pods():
    step = planned(AddRoute(NetnsId("pod/shop/web-1"), a_route("0.0.0.0/0", "10.244.0.1")))
    assert str(step) == "Pod shop/web-1: ip route add default via 10.244.0.1 dev eth0"


def test_an_object_is_patched_from_anywhere():
    step = planned(PatchObject(ObjectRef("Service", "shop", "api"), '{"spec":{"selector":{"app":"api"}}}'))
    assert (
        step.command
        == """kubectl patch -n shop service/api --type merge -p '{"spec":{"selector":{"app":"api"}}}'"""
    )
    assert step.where == ""
    assert "kubectl get -n shop service/api -o yaml" in step.undo


def test_what_no_command_does_is_told_in_words():
    step = planned(Outside("open UDP 8472 in the security group"))
    assert (str(step), step.command, step.undo) == ("open UDP 8472 in the security group", "", "")


def test_a_comment_cannot_break_out_of_the_shell():
    rule = a_rule('[0:0] -A INPUT -m comment --comment "$(reboot) \\"x\\" \'y\'" -j DROP')
    command = planned(DeleteRule(NODE, "nft/ip/filter", "INPUT", rule)).command
    said = subprocess.run(
        ["sh", "-c", command.replace("iptables-nft", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == [
        "-D",
        "INPUT",
        "-m",
        "comment",
        "--comment",
        "$(reboot) \"x\" 'y'",
        "-j",
        "DROP",
    ]


def test_a_native_rule_is_found_by_its_text_without_what_it_has_counted():
    rule = a_rule("tcp dport 8080 counter packets 17 bytes 1020 drop")
    step = planned(DeleteRule(NODE, "native/inet/corpfw", "guard", rule))
    assert "nft delete rule inet corpfw guard handle" in step.command
    assert "17" not in step.command
    assert step.undo == "nft 'insert rule inet corpfw guard tcp dport 8080 counter drop'"


def test_the_look_up_of_a_native_rule_prints_its_handle(tmp_path):
    listing = 'chain guard {\n\t\tip daddr 10.244.2.0/24 drop # handle 7\n\t\ttcp dport { 80, "http-alt" } drop # handle 9\n\t}\n'
    (tmp_path / "nft").write_text(
        f'#!/bin/sh\nif [ "$1" = -a ]; then cat <<\'END\'\n{listing}END\nelse echo "$@"; fi\n'
    )
    (tmp_path / "nft").chmod(0o755)
    command = planned(
        DeleteRule(NODE, "native/inet/corpfw", "guard", a_rule('tcp dport { 80, "http-alt" } drop'))
    ).command
    said = subprocess.run(
        ["sh", "-c", f"PATH={shlex.quote(str(tmp_path))}:$PATH; {command}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "delete rule inet corpfw guard handle 9\n"


def test_a_route_to_another_prefix_is_deleted_before_the_new_one_is_added():
    step = planned(ReplaceRoute(NODE, a_route("10.244.0.0/16"), a_route()))
    assert step.command == (
        "ip route del 10.244.0.0/16 via 172.30.0.13 dev eth0 && ip route add 10.244.2.0/24 via 172.30.0.13 dev eth0"
    )


def test_a_rule_of_ipv6_is_deleted_with_ip_6():
    rule = RoutingRule(100, src=parse_prefix("fd00::/64"), action="prohibit")
    assert (
        planned(DeleteRoutingRule(NODE, rule)).command
        == "ip -6 rule del priority 100 from fd00::/64 prohibit"
    )
