"""Rules of nft's JSON, written in nft's syntax. ``test_nft_json`` and ``test_nft_kernel`` compare with what nft prints."""

import pytest

from podpath.parse.nft_render import render_rule
from tests.parse.nft_samples import DPORT, MARK, SADDR, TCP_FLAGS


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ({"match": {"op": "==", "left": {"&": [TCP_FLAGS, ["fin", "syn"]]}, "right": "syn"}}, "tcp flags & (fin | syn) == syn"),
        ({"match": {"op": "==", "left": {"payload": {"base": "nh", "offset": 64, "len": 8}}, "right": 1}}, "@nh,64,8 1"),
        ({"match": {"op": "==", "left": {"payload": {"tunnel": "vxlan", "protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}}, "vxlan ip saddr 10.0.0.1"),
        ({"match": {"op": "==", "left": {"new": 1}, "right": 5}}, '{"new":1} 5'),
        ({"mangle": {"key": MARK, "value": {"&": [{"^": [MARK, 1]}, 2]}}}, "meta mark set (meta mark ^ 0x00000001) & 0x00000002"),
        ({"queue": {"num": {"range": [1, 3]}, "flags": ["bypass"]}}, "queue flags bypass to 1-3"),
        ({"queue": {"num": 1}}, "queue to 1"),
        ({"map": {"op": "update", "elem": SADDR, "data": DPORT, "map": "@m"}}, "update @m { ip saddr : tcp dport }"),
        ({"set": {"op": "add", "elem": {"elem": {"val": SADDR, "timeout": 5, "comment": "x"}}, "set": "@s"}}, 'add @s { ip saddr timeout 5s comment "x" }'),
        ({"tproxy": {"family": "ip6", "addr": "::1", "port": 15001}}, "tproxy ip6 to [::1]:15001"),
        ({"counter": "c1"}, 'counter name "c1"'),
        ({"counter": {"map": {"key": DPORT, "data": "@m"}}}, "counter name tcp dport map @m"),
        ({"xt": {"type": "match", "name": "comment"}}, 'xt match "comment"'),
        ({"new in nft 2": 5}, '{"new in nft 2":5}'),
        ({"new in nft 2": None}, "new in nft 2"),
        ("as nft wrote it", "as nft wrote it"),
        (5, "5"),
        ({}, "{}"),
        ({"match": None}, "match"),
        ({"match": 5}, '{"match":5}'),
    ],
)  # fmt: skip
def test_a_statement_is_written(json, text):
    assert render_rule([json]) == text


def test_a_comment_is_written_last():
    assert render_rule([{"accept": None}], "why not") == 'accept comment "why not"'
