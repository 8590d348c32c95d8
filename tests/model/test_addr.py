"""Addresses and prefixes of both families in one space of integers."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.model.addr import format_addr, format_prefix, is_v4, parse_addr, parse_prefix


@given(st.ip_addresses())
def test_an_address_survives_there_and_back(addr):
    if getattr(addr, "ipv4_mapped", None) is None:
        assert format_addr(parse_addr(str(addr))) == str(addr)
        assert is_v4(parse_addr(str(addr))) == (addr.version == 4)


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_prefix_of_ipv4_holds_what_ipaddress_says(addr, length):
    network = ipaddress.ip_network(f"{addr}/{length}", strict=False)
    prefix = parse_prefix(f"{addr}/{length}")
    assert format_prefix(prefix) == str(network)
    assert prefix.length == length
    assert parse_addr(str(network.broadcast_address)) in prefix


def test_no_address_of_one_family_lies_in_a_prefix_of_the_other():
    assert parse_addr("::1") not in parse_prefix("0.0.0.0/0")
    assert parse_addr("10.0.0.1") not in parse_prefix("fd00::/8")


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0", "10.0.0.256", "10.0.0.1.2", "fe80::g", "a.b.c.d", "10.0.0.1/33", "10.0.0.1/x", "1:2"],
)
def test_what_is_no_prefix_is_refused(text):
    with pytest.raises(ValueError, match="not a"):
        parse_prefix(text)


def test_leading_zeros_are_decimal():
    assert parse_addr("010.000.000.001") == parse_addr("10.0.0.1")


def test_a_mask_with_holes_is_kept():
    prefix = parse_prefix("10.0.0.1/255.0.255.255")
    assert parse_addr("10.77.0.1") in prefix
    assert parse_addr("10.77.1.1") not in prefix
    assert format_prefix(prefix) == "10.0.0.1/255.0.255.255"
