"""The rule by which real servers are taken out and brought back."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.health.rule import Absence, By, Judgement, Rule, Standing, judge, share_between
from directrix.lvs import RealServer
from directrix.lvs.errors import InvalidRequest
from directrix.lvs.handshakes import MEMORY, Handshakes

RULE = Rule()
NOW = 1000.0


def server(number: int, weight: int = 1) -> RealServer:
    return RealServer(ip_address(f"10.0.0.{number}"), 80, weight=weight)


def seen(share: float, sample: float = 400) -> Handshakes:
    """Handshakes of which this share completed recently."""
    return Handshakes(recent_begun=sample / MEMORY, recent_completed=share * sample / MEMORY)


def service(*figures: Handshakes, weights: dict[int, int] | None = None) -> list[tuple[RealServer, Handshakes]]:
    return [(server(n, (weights or {}).get(n, 1)), one) for n, one in enumerate(figures, start=1)]


def standings(judged: list[Judgement]) -> list[Standing]:
    return [one.standing for one in judged]


def test_a_server_that_answers_nobody_is_taken_out_and_its_weight_remembered() -> None:
    judged = judge(service(seen(1.0), seen(0.0), seen(0.99), weights={2: 7}), {}, NOW, RULE)
    assert standings(judged) == [Standing.GOOD, Standing.POOR, Standing.GOOD]
    assert [one.weight for one in judged] == [None, 0, None]
    assert judged[1].absence == Absence(weight=7, since=NOW)


def test_of_two_servers_one_is_enough_to_measure_the_other_by() -> None:
    assert standings(judge(service(seen(0.0), seen(1.0)), {}, NOW, RULE)) == [Standing.POOR, Standing.GOOD]


def test_a_server_alone_is_never_judged() -> None:
    assert standings(judge(service(seen(0.0)), {}, NOW, RULE)) == [Standing.FEW]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.9])
def test_what_lowers_everybodys_share_takes_nobody_out(share: float) -> None:
    assert standings(judge(service(*[seen(share)] * 4), {}, NOW, RULE)).count(Standing.POOR) == 0


def test_a_dead_server_is_found_in_the_midst_of_a_flood() -> None:
    judged = judge(service(seen(0.05, 20_000), seen(0.0, 20_000), seen(0.05, 20_000)), {}, NOW, RULE)
    assert standings(judged) == [Standing.GOOD, Standing.POOR, Standing.GOOD]


def test_in_a_flood_a_small_sample_tells_nothing() -> None:
    judged = judge(service(seen(0.05, 40), seen(0.0, 40), seen(0.05, 40)), {}, NOW, RULE)
    assert Standing.POOR not in standings(judged)


@pytest.mark.parametrize(("sample", "standing"), [(19, Standing.FEW), (20, Standing.POOR)])
def test_twenty_connections_are_enough_where_nobody_is_answered(sample: float, standing: Standing) -> None:
    assert judge(service(seen(1.0), seen(0.0, sample)), {}, NOW, RULE)[1].standing is standing


def test_a_share_somewhat_below_the_peers_stays() -> None:
    assert judge(service(seen(1.0), seen(0.6), seen(1.0)), {}, NOW, RULE)[1].standing is Standing.GOOD


def test_no_more_than_the_given_part_is_out_and_the_worst_goes_first() -> None:
    judged = judge(service(seen(0.1), seen(1.0), seen(0.0), seen(0.05), seen(1.0)), {}, NOW, RULE)
    assert standings(judged) == [Standing.SPARED, Standing.GOOD, Standing.POOR, Standing.POOR, Standing.GOOD]


def test_who_is_out_already_counts() -> None:
    figures = service(seen(1.0), seen(0.0), Handshakes(), weights={3: 0})
    judged = judge(figures, {server(3).key: Absence(1, NOW - 1)}, NOW, RULE)
    assert standings(judged) == [Standing.GOOD, Standing.SPARED, Standing.OUT]


def test_it_comes_back_by_time_with_the_weight_it_had_on_trial() -> None:
    figures = service(seen(1.0), Handshakes(), weights={2: 0})
    absences = {server(2).key: Absence(5, NOW)}
    assert judge(figures, absences, NOW + RULE.hold - 1, RULE)[1].standing is Standing.OUT
    back = judge(figures, absences, NOW + RULE.hold, RULE)[1]
    assert (back.standing, back.weight) == (Standing.BACK, 5)
    assert back.absence == Absence(5, NOW + RULE.hold, trial=True)


def test_a_trial_ends_well_only_above_a_higher_share_than_it_takes_to_stay() -> None:
    absences = {server(2).key: Absence(1, NOW, trial=True)}
    edge = judge(service(seen(1.0), seen(0.65)), absences, NOW, RULE)[1]
    assert (edge.standing, edge.weight, edge.absence) == (Standing.TRIAL, None, absences[server(2).key])
    well = judge(service(seen(1.0), seen(0.95)), absences, NOW, RULE)[1]
    assert (well.standing, well.weight, well.absence) == (Standing.GOOD, None, None)


def test_a_failed_trial_is_followed_by_twice_the_time_up_to_a_bound() -> None:
    absence = Absence(1, NOW)
    ends = []
    for _ in range(9):
        ends.append(absence.ends(RULE) - NOW)
        trial = replace(absence, trial=True)
        again = judge(service(seen(1.0), seen(0.0)), {server(2).key: trial}, NOW, RULE)[1]
        assert again.weight == 0
        assert again.absence is not None
        absence = again.absence
    assert ends == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_weight_that_somebody_gave_ends_the_absence() -> None:
    judged = judge(service(seen(1.0), Handshakes(), weights={2: 3}), {server(2).key: Absence(1, NOW)}, NOW, RULE)
    assert (judged[1].standing, judged[1].absence) == (Standing.FEW, None)


@pytest.mark.parametrize("absence", [None, Absence(1, 0.0, by=By.OPERATOR), Absence(1, 0.0, trial=True)])
def test_a_server_that_an_operator_quiesced_is_left_alone(absence: Absence | None) -> None:
    absences = {server(2).key: absence} if absence else {}
    judged = judge(service(seen(1.0), seen(0.0), weights={2: 0}), absences, NOW, RULE)
    assert (judged[1].standing, judged[1].weight) == (Standing.QUIESCED, None)
    assert judged[1].absence == (absence if absence and absence.by is By.OPERATOR else None)


SHARES = st.floats(0, 1)
SAMPLES = st.floats(0, 1e6)
SERVICES = st.lists(st.tuples(SHARES, SAMPLES, st.integers(0, 2)), max_size=9)


@given(SERVICES, st.floats(0, 0.99))
def test_whatever_is_seen_the_last_one_stays_and_the_part_is_kept(
    found: list[tuple[float, float, int]], most_out: float
) -> None:
    figures = [(server(n, weight), seen(share, sample)) for n, (share, sample, weight) in enumerate(found, start=1)]
    judged = judge(figures, {}, NOW, Rule(most_out=most_out))
    in_service = sum(1 for one in judged if one.server.weight)
    taken = [one for one in judged if one.weight == 0]
    assert len(taken) <= in_service * most_out
    assert not taken or len(taken) < in_service
    assert all(one.absence and one.absence.weight == one.server.weight for one in taken)


@given(SHARES, st.floats(1, 1e6))
def test_the_interval_holds_the_share_seen(share: float, sample: float) -> None:
    least, most = share_between(share, sample)
    assert 0 <= least <= share + 1e-9
    assert share - 1e-9 <= most <= 1


@pytest.mark.parametrize(
    "bounds",
    [
        {"out_below": 0.0},
        {"out_below": 0.9},
        {"back_above": 1.1},
        {"sample": 0},
        {"most_out": 1.0},
        {"most_out": -0.1},
        {"hold": 0.0},
        {"hold": 100.0, "hold_most": 50.0},
        {"hold": float("nan")},
        {"out_below": float("nan")},
        {"most_out": float("nan")},
    ],
)
def test_bounds_that_make_no_sense_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest):
        Rule(**bounds)  # type: ignore[arg-type]
