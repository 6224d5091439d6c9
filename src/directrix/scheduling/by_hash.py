"""The choice that comes out the same for each packet of a connection, with nothing remembered.

In a flood (`bpf/flood.h`) a client's first packet leaves no entry behind, and its second one must find the same real
server. Servers are asked from the oldest on, and each takes the connection over from those before it with the
probability that is its share of the weights so far. So each gets its share; a server that comes takes its own from
all the others; and of a change of weight, or where one goes, little more than what changed is moved.
"""

from __future__ import annotations

from collections.abc import Iterable

MASK64 = 0xFFFFFFFFFFFFFFFF
PRIME = 0x9E3779B97F4A7C15
OTHER_PRIME = 0xD6E8FEB86659FD93
SHARE_BITS = 24


def draw(hash_: int, number: int) -> int:
    """A number of SHARE_BITS bits for a connection, given as a hash of 64 bits, and a real server's number."""
    mixed = (hash_ ^ (number + 1) * PRIME & MASK64) * OTHER_PRIME & MASK64
    return ((mixed ^ mixed >> 32) * PRIME & MASK64) >> 64 - SHARE_BITS


def pick(hash_: int, servers: Iterable[tuple[int, int]]) -> int | None:
    """The number of the real server that the hash stands for; None if there is nobody.

    Args:
        hash_: of the connection.
        servers: number and weight, above 0, of those that may be chosen, oldest first.
    """
    found, weights = None, 0
    for number, weight in servers:
        weights += weight
        if draw(hash_, number) * weights >> SHARE_BITS < weight:
            found = number
    return found
