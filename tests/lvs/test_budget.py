"""Budgets: what they take, the words they are given in, and buckets that fill again."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from directrix.lvs import Family, Protocol, ServiceKey, TableError
from directrix.lvs.budget import Bucket, Budget, BudgetState, Rate
from directrix.lvs.budget_words import FaultyBudgets, budget_words, read_budget, read_budgets, saved, service_words

WEB = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)


def test_a_bucket_gives_its_burst_at_once_and_then_as_it_fills() -> None:
    bucket = Bucket(Rate(10, 1, burst=3))
    assert [bucket.take(5.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert bucket.left(5.0) == 0
    assert [bucket.take(5.1), bucket.take(5.1)] == [True, False]
    assert bucket.left(5.31) == 2
    assert [bucket.take(100.0) for _ in range(4)] == [True] * 3 + [False]


@pytest.mark.parametrize("rate", [Rate(1, 3600, 7), Rate(7, 60, 7), Rate(3, 1, 7), Rate(9_999_999, 1, 7)])
def test_a_burst_is_whole_whatever_the_rate(rate: Rate) -> None:
    bucket = Bucket(rate)
    assert sum(bucket.take(1e6) for _ in range(20)) == 7


@pytest.mark.parametrize(
    ("words", "budget"),
    [
        ("--rate 5000", Budget(Rate(5000, 1, 5000))),
        ("--rate 5000/s --burst 20", Budget(Rate(5000, 1, 20))),
        ("--rate 30/m", Budget(Rate(30, 60, 5))),
        ("--rate 6000/minute", Budget(Rate(6000, 60, 100))),
        ("--source-rate 2/h", Budget(source=Rate(2, 3600, 5))),
        ("--source-rate 10 --source-prefix /24 --source-prefix6 48", Budget(None, Rate(10, 1, 10), 24, 48)),
        ("--rate 9 --source-rate 8 --source-burst 1", Budget(Rate(9, 1, 9), Rate(8, 1, 1))),
    ],
)
def test_words_make_a_budget_and_a_budget_makes_words_that_mean_the_same(words: str, budget: Budget) -> None:
    found = words.split()
    assert read_budget(dict(zip(found[::2], found[1::2], strict=True))) == budget
    again = budget_words(budget).split()
    assert read_budget(dict(zip(again[::2], again[1::2], strict=True))) == budget


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--rate"),
        ("--burst 5", "needs --rate"),
        ("--rate 5 --source-burst 5", "needs --source-rate"),
        ("--rate 5 --source-prefix 24", "needs --source-rate"),
        ("--rate 0", "1 to 10,000,000"),
        ("--rate 10000001", "1 to 10,000,000"),
        ("--rate -5", "COUNT/s"),
        ("--rate 5/d", "COUNT/s"),
        ("--rate 5/s --burst x", "no number"),
        ("--rate 5/s --burst 0", "less than one"),
        ("--source-rate 10001", "1 to 10,000"),
        ("--source-rate 1/h --source-burst 13", "at most 12"),
        ("--source-rate 1 --source-prefix 33", "1 to 32"),
        ("--source-rate 1 --source-prefix6 0", "1 to 128"),
    ],
)
def test_words_that_make_none_are_told_what_is_wrong(words: str, said: str) -> None:
    found = words.split()
    with pytest.raises(TableError, match=said.replace("/", "/")):
        read_budget(dict(zip(found[::2], found[1::2], strict=True)))


def by_words(words: Sequence[str]) -> ServiceKey:
    """A service of this test's."""
    found = {"-t 10.0.0.1:80": WEB, "-f 7 -6": ServiceKey.mark(7, Family.INET6)}
    try:
        return found[" ".join(words)]
    except KeyError:
        raise TableError(22, f"no such service {words}") from None


def test_what_is_saved_is_read_back() -> None:
    budgets = {
        WEB: Budget(Rate(5000, 1, 20), Rate(6, 60, 5), 24, 56),
        ServiceKey.mark(7, Family.INET6): Budget(source=Rate(2, 3600, 5)),
    }
    text = list(saved({key: BudgetState(budget, 5, 6) for key, budget in budgets.items()}))
    assert text[1] == "-f 7 -6 --source-rate 2/h --source-burst 5 --source-prefix 32 --source-prefix6 64\n"
    assert read_budgets(["# budgets\n", "\n", *text], "file", by_words) == budgets


def test_every_fault_of_a_file_is_told_with_its_line() -> None:
    lines = ["-t 10.0.0.1:80 --rate 5\n", "-t 10.0.0.1:80 --rate 6\n", "-t nowhere --rate 5\n", "--rate\n"]
    with pytest.raises(FaultyBudgets) as faulty:
        read_budgets(lines, "b", by_words)
    assert [line.split(": ")[0] for line in str(faulty.value).splitlines()] == ["b:2", "b:3", "b:4"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (WEB, "-t 10.0.0.1:80"),
        (ServiceKey.of(Protocol.UDP, ip_address("fd00::1"), 53), "-u [fd00::1]:53"),
        (ServiceKey.of(Protocol.SCTP, ip_address("10.0.0.1"), 0), "--sctp-service 10.0.0.1:0"),
        (ServiceKey.mark(7), "-f 7"),
    ],
)
def test_a_service_is_written_as_ipvsadm_reads_it(key: ServiceKey, words: str) -> None:
    assert service_words(key) == words
