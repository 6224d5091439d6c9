"""The hash functions, against values of the running kernel and independent statements of them."""

from __future__ import annotations

from functools import reduce
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.scheduling.hashing import fold, hash_32, siphash

WORDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("address", "folded"),
    [
        ("10.1.0.10", 0x0A01000A),
        ("255.255.255.255", 0xFFFFFFFF),
        ("::", 0),
        ("2001:db8::1", 0x20010DB9),
        ("1:2:3:4:5:6:7:8", 0x00010002 ^ 0x00030004 ^ 0x00050006 ^ 0x00070008),
    ],
)
def test_an_address_folds_to_one_word(address: str, folded: int) -> None:
    assert fold(ip_address(address)) == folded


@given(st.lists(WORDS, min_size=4, max_size=4))
def test_an_ipv6_address_folds_to_the_xor_of_its_words(words: list[int]) -> None:
    packed = b"".join(word.to_bytes(4, "big") for word in words)
    assert fold(IPv6Address(packed)) == reduce(xor, words)


@pytest.mark.parametrize(("address", "bits", "value"), [("10.1.0.10", 8, 30), ("0.0.0.1", 32, 0x61C88647)])
def test_hash_32_as_in_the_kernel(address: str, bits: int, value: int) -> None:
    assert hash_32(fold(IPv4Address(address)), bits) == value


@given(WORDS, st.integers(1, 32))
def test_hash_32_keeps_the_upper_bits_of_the_product_and_wraps(number: int, bits: int) -> None:
    assert hash_32(number, bits) == hash_32(number, 32) >> (32 - bits)
    assert hash_32(number + 2**32, bits) == hash_32(number, bits)


@pytest.mark.parametrize(
    ("key", "number", "value"),
    [
        (2654435761, int(IPv4Address("10.1.0.10")), 0x0B03839B),
        (2654435761, int(IPv4Address("10.0.0.11")) + 80, 0x4BC85788),
    ],
)
def test_siphash_as_in_the_kernel(key: int, number: int, value: int) -> None:
    assert siphash(key, number) == value


@given(WORDS)
def test_siphash_wraps_its_number_and_stays_in_a_word(number: int) -> None:
    assert siphash(1, number + 2**32) == siphash(1, number) < 2**32
