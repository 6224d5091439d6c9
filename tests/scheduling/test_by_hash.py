"""The choice by hash: shares by weight, and little that moves."""

from __future__ import annotations

import random
from collections import Counter

from directrix.scheduling.by_hash import SHARE_BITS, draw, pick

_RANDOM = random.Random(7)
HASHES = [_RANDOM.getrandbits(64) for _ in range(20_000)]


def choices(*servers: tuple[int, int]) -> list[int | None]:
    return [pick(one, servers) for one in HASHES]


def test_nobody_is_chosen_from_nobody_and_one_from_one() -> None:
    assert pick(5, []) is None
    assert set(choices((9, 1))) == {9}


def test_each_server_gets_its_share_of_the_weights() -> None:
    weights = {1: 1, 2: 5, 3: 10, 4: 100, 70_000: 34}
    found = Counter(choices(*weights.items()))
    for number, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(found[number] / len(HASHES) - share) < 4 * (share * (1 - share) / len(HASHES)) ** 0.5


def test_who_comes_takes_from_all_and_moves_nobody_else() -> None:
    before, after = choices((1, 2), (2, 2), (3, 2)), choices((1, 2), (2, 2), (3, 2), (4, 2))
    assert all(now in (then, 4) for then, now in zip(before, after, strict=True))


def test_where_one_goes_few_others_move() -> None:
    before, after = choices((1, 1), (2, 1), (3, 1), (4, 1)), choices((1, 1), (3, 1), (4, 1))
    moved = [then for then, now in zip(before, after, strict=True) if then != now and then != 2]
    assert len(moved) / len(HASHES) < 0.2


def test_the_largest_weights_do_not_overflow_what_the_data_plane_counts_with() -> None:
    most = [(number, (1 << 31) - 1) for number in range(32)]
    assert max(draw(one, 0) for one in HASHES) * sum(weight for _, weight in most) < 1 << 64
    assert 0 <= min(draw(one, 0) for one in HASHES) < 1 << SHARE_BITS
    assert len(set(choices(*most))) == 32
