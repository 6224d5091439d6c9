"""The hash functions of IPVS, over addresses made one 32-bit number."""

from __future__ import annotations

from directrix.lvs import Address

_WORD = 0xFFFFFFFF
_LONG = 0xFFFFFFFFFFFFFFFF

_GOLDEN_RATIO = 0x61C88647
_SIPHASH_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def fold(address: Address) -> int:
    """An address as one 32-bit number: IPv4 as it is, of IPv6 the XOR of its four words."""
    number = int(address)
    if address.version == 4:
        return number
    return (number >> 96 ^ number >> 64 ^ number >> 32 ^ number) & _WORD


def hash_32(number: int, bits: int) -> int:
    """Linux's multiplicative hash of a number, taken modulo 2**32, to so many bits (`hash_32`)."""
    return (number * _GOLDEN_RATIO & _WORD) >> 32 - bits


def siphash(key: int, number: int) -> int:
    """The low 32 bits of SipHash-1-3, under the key (key, key), of a number taken modulo 2**32.

    It is what 64-bit Linux calls `hsiphash_1u32`.
    """
    length_and_number = 4 << 56 | number & _WORD
    v0, v1, v2, v3 = (start ^ key for start in _SIPHASH_START)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ length_and_number)
    v0 ^= length_and_number
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return (v0 ^ v1 ^ v2 ^ v3) & _WORD


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    """SipRound: sums modulo 2**64, rotations written out."""
    v0 = v0 + v1 & _LONG
    v1 = (v1 << 13 | v1 >> 51) & _LONG ^ v0
    v0 = (v0 << 32 | v0 >> 32) & _LONG
    v2 = v2 + v3 & _LONG
    v3 = (v3 << 16 | v3 >> 48) & _LONG ^ v2
    v0 = v0 + v3 & _LONG
    v3 = (v3 << 21 | v3 >> 43) & _LONG ^ v0
    v2 = v2 + v1 & _LONG
    v1 = (v1 << 17 | v1 >> 47) & _LONG ^ v2
    v2 = (v2 << 32 | v2 >> 32) & _LONG
    return v0, v1, v2, v3
