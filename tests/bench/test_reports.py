"""What the benchmarks make of what was measured."""

from __future__ import annotations

import pytest
from bench.commands import rules

from bench import instructions, profile, report

GUEST = """\
BOOTED 6.1.0
CLOCK 50000120
RESULT name=drop base=- cost=628.3 mean=629.7 sent=17408 delivered=0 to=-
RESULT name=directrix_syn base=drop cost=2298.4 mean=2299.0 sent=3968 delivered=3968 to=01:1984,02:1984
RESULT name=directrix_clock base=- cost=1200
DONE
"""


def test_a_cost_is_what_is_above_its_base_and_meets_or_misses_its_goal() -> None:
    bare, syn, clock = instructions.figures(instructions.parse(GUEST.splitlines()))
    assert (bare.value, bare.unit, bare.most) == (628.3, "instr/packet", None)
    assert syn.value == pytest.approx(1670.1)
    assert syn.most == instructions.NEW
    assert syn.missed
    assert (clock.value, clock.unit, clock.missed) == (1200, "instr/s", False)


def test_packets_that_did_not_all_arrive_are_told() -> None:
    short = GUEST.replace("delivered=3968", "delivered=3900")
    assert "LOST: 68 of 3968" in instructions.figures(instructions.parse(short.splitlines()))[1].note


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (GUEST.replace("DONE", ""), "ended before its time"),
        (GUEST.replace("50000120", "71000000"), "does not count instructions"),
        (GUEST.replace("DONE", "directrix: no\nFAILED directrix up\nDONE"), "directrix: no\nFAILED directrix up"),
    ],
)
def test_a_run_that_went_wrong_gives_no_figures(wrong: str, message: str) -> None:
    with pytest.raises(instructions.BadRun, match=message):
        instructions.parse(wrong.splitlines())


def test_a_profile_adds_up_the_blocks_of_a_function_by_phase() -> None:
    text = "ffffffff81000000 T first\nffffffff81000100 t bpf_prog_0123456789abcdef_second [bpf]\n0 A absolute\n"
    addresses, names = profile.symbols(text)
    assert names == ["first", "bpf:second"]
    lines = ["1 ffffffff81000010 5 10", "1 ffffffff81000104 2 7", "2 ffffffff81000020 1 1", "2 400000 3 3"]
    phases = profile.by_function(lines, addresses, names)
    assert phases[1] == {"first": 50, "bpf:second": 14}
    assert phases[2] == {"first": 1, "(user space)": 9}


def test_a_table_marks_what_misses_its_goal() -> None:
    figures = [
        report.Figure("met", 5, "ns", 10),
        report.Figure("missed", 12345, "ns", 10),
        report.Figure("free", 1, "ns"),
    ]
    met, missed, free = report.table(figures).splitlines()
    assert met.endswith("at most 10")
    assert "MISSED" not in met
    assert "12,345 ns" in missed
    assert missed.endswith("MISSED: at most 10")
    assert free.endswith("1 ns")


def test_the_rules_that_are_restored_are_as_many_as_said() -> None:
    lines = rules(1000, 10).splitlines()
    assert len(set(lines)) == len(lines) == 11_000
