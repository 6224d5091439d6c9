"""A virtual service's pool, as stories: what checks find, and what is done to the table and told to people."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight, TellGrowth, TellQuorum, TellServer
from directrix.checks.growth import Growth
from directrix.checks.outcome import Outcome, Standing, failure, success
from directrix.checks.pool import MOST_STEPS, Pool
from directrix.checks.pool_values import CheckerSettings, PoolSettings, ServerSettings, SorryServer


def key(name: str) -> ServerKey:
    """a is 10.0.0.1 …, sorry is 10.0.0.99."""
    return (IPv4Address("10.0.0.99") if name == "sorry" else IPv4Address(f"10.0.0.{ord(name) - 96}"), 80)


def name(server: ServerKey) -> str:
    last = int(str(server[0]).rpartition(".")[2])
    return "sorry" if last == 99 else chr(last + 96)


def said(actions: list[Action]) -> str:
    """Actions in shorthand: `+a:1` added with weight 1, `-a` removed, `a:0` weighed, `a up`, `quorum down`."""
    words = []
    for action in actions:
        match action:
            case Add(server, weight):
                words.append(f"+{name(server)}:{weight}")
            case Remove(server):
                words.append(f"-{name(server)}")
            case SetWeight(server, weight):
                words.append(f"{name(server)}:{weight}")
            case TellServer(server, up, stopping):
                words.append(f"{name(server)} {'up' if up else 'down'}{' stopping' if stopping else ''}")
            case TellGrowth(server, weight, over):
                words.append(f"{name(server)} {f'grows to {weight} in {over:g}' if over else f'has grown to {weight}'}")
            case TellQuorum(up, starting=starting, stopping=stopping):
                words.append(
                    f"quorum {'up' if up else 'down'}{' starting' if starting else ''}{' stopping' if stopping else ''}"
                )
    return ", ".join(words)


def server(
    short: str, weight: int = 1, checkers: str = "x", alpha: bool = False, inhibit: bool = False
) -> ServerSettings:
    return ServerSettings(key(short), weight, inhibit, tuple(CheckerSettings(one, alpha) for one in checkers))


def started(*servers: ServerSettings, **options: object) -> Pool:
    pool = Pool(PoolSettings(servers, **options))  # type: ignore[arg-type]
    pool.start(0.0)
    return pool


def slow(short: str, weight: int = 10, checkers: str = "x", over: float = 10.0, alpha: bool = False) -> ServerSettings:
    return replace(server(short, weight, checkers, alpha), slow_start=over)


SORRY = SorryServer(key("sorry"))


def test_at_the_start_servers_are_in_but_those_in_alpha_mode() -> None:
    pool = Pool(PoolSettings((server("a"), server("b", weight=3), server("c", alpha=True))))
    assert said(pool.start(0.0)) == "+a:1, +b:3, quorum up starting"
    assert said(pool.report(key("c"), "x", True, 1.0)) == "+c:1, c up"


def test_what_is_known_before_the_start_counts_from_the_start() -> None:
    pool = Pool(PoolSettings((server("a", weight=5, checkers="xy"), server("b"), server("c", alpha=True))))
    known = [(key("a"), "x", Outcome(True, weight=-3)), (key("b"), "x", failure("")), (key("c"), "x", success())]
    assert said(pool.start(0.0, known)) == "+a:2, +c:1, quorum up starting"
    assert said(pool.report(key("b"), "x", False, 1.0)) == ""
    with pytest.raises(KeyError):
        Pool(PoolSettings((server("a"),))).start(0.0, [(key("a"), "y", success())])


def test_a_server_without_checkers_is_always_in() -> None:
    assert said(Pool(PoolSettings((server("a", checkers=""),))).start(0.0)) == "+a:1, quorum up starting"


def test_a_server_is_out_while_any_checker_is_down() -> None:
    pool = started(server("a", checkers="xy"), server("b"))
    assert said(pool.report(key("a"), "x", False, 1.0)) == "-a, a down"
    assert said(pool.report(key("a"), "y", False, 2.0)) == ""
    assert said(pool.report(key("a"), "x", True, 3.0)) == ""
    assert said(pool.report(key("a"), "y", True, 4.0)) == "+a:1, a up"
    assert said(pool.report(key("a"), "y", True, 5.0)) == ""
    assert pool.server(key("a")).since == 4.0


def test_inhibit_on_failure_keeps_a_server_in_the_table_with_weight_0() -> None:
    pool = Pool(PoolSettings((server("a", weight=5, inhibit=True), server("b"))))
    assert said(pool.start(0.0)) == "+a:5, +b:1, quorum up starting"
    assert said(pool.report(key("a"), "x", False, 1.0)) == "a:0, a down"
    assert said(pool.report(key("a"), "x", True, 2.0)) == "a:5, a up"
    waiting = Pool(PoolSettings((server("a", weight=5, inhibit=True, alpha=True), server("b"))))
    assert said(waiting.start(0.0)) == "+a:0, +b:1, quorum up starting"
    assert said(waiting.report(key("a"), "x", True, 1.0)) == "a:5, a up"


def test_the_first_failure_in_alpha_mode_is_told_though_nothing_changes() -> None:
    pool = started(server("a", alpha=True), server("b"))
    assert said(pool.report(key("a"), "x", False, 1.0)) == "a down"
    assert said(pool.report(key("a"), "x", False, 2.0)) == ""


def test_the_last_server_takes_quorum_with_it_and_brings_it_back() -> None:
    pool = started(server("a"), server("b"))
    assert said(pool.report(key("a"), "x", False, 1.0)) == "-a, a down"
    assert said(pool.report(key("b"), "x", False, 2.0)) == "-b, b down, quorum down"
    assert said(pool.report(key("a"), "x", True, 3.0)) == "+a:1, a up, quorum up"
    assert pool.quorum_since == 3.0


def test_the_sorry_server_comes_when_quorum_is_lost_and_leaves_when_it_is_gained() -> None:
    pool = started(server("a"), server("b"), quorum=2, sorry=SORRY)
    assert said(pool.report(key("a"), "x", False, 1.0)) == "-a, a down, -b, +sorry:1, quorum down"
    assert pool.table() == {key("sorry"): 1}
    assert said(pool.report(key("b"), "x", False, 2.0)) == "b down"
    assert said(pool.report(key("b"), "x", True, 3.0)) == "b up"
    assert said(pool.report(key("a"), "x", True, 4.0)) == "a up, -sorry, +a:1, +b:1, quorum up"


def test_with_all_in_alpha_mode_the_sorry_server_begins() -> None:
    pool = Pool(PoolSettings((server("a", alpha=True), server("b", alpha=True)), sorry=SORRY))
    assert said(pool.start(0.0)) == "+sorry:1, quorum down starting"
    assert said(pool.report(key("b"), "x", True, 1.0)) == "b up, -sorry, +b:1, quorum up"


def test_without_a_sorry_server_nothing_is_said_at_a_start_without_quorum() -> None:
    assert said(Pool(PoolSettings((server("a", alpha=True),))).start(0.0)) == ""


def test_a_sorry_server_that_is_inhibited_always_stands_in_the_table() -> None:
    pool = Pool(PoolSettings((server("a"),), sorry=SorryServer(key("sorry"), 7, inhibit=True)))
    assert said(pool.start(0.0)) == "+a:1, +sorry:0, quorum up starting"
    assert said(pool.report(key("a"), "x", False, 1.0)) == "-a, a down, sorry:7, quorum down"
    assert said(pool.report(key("a"), "x", True, 2.0)) == "a up, sorry:0, +a:1, quorum up"


def test_servers_that_are_inhibited_stay_beside_the_sorry_server_with_weight_0() -> None:
    pool = started(server("a", inhibit=True), server("b", inhibit=True), quorum=2, sorry=SORRY)
    assert said(pool.report(key("a"), "x", False, 1.0)) == "a:0, a down, b:0, +sorry:1, quorum down"
    assert said(pool.report(key("a"), "x", True, 2.0)) == "a up, -sorry, a:1, b:1, quorum up"


def test_the_sorry_server_may_be_one_of_the_real_servers() -> None:
    pool = started(server("a"), server("b"), quorum=2, sorry=SorryServer(key("a"), 9))
    assert said(pool.report(key("b"), "x", False, 1.0)) == "-b, b down, a:9, quorum down"
    assert said(pool.report(key("b"), "x", True, 2.0)) == "b up, a:1, +b:1, quorum up"
    inhibited = started(
        server("a", inhibit=True), server("b", inhibit=True), quorum=2, sorry=SorryServer(key("a"), 9, inhibit=True)
    )
    assert said(inhibited.report(key("b"), "x", False, 1.0)) == "b:0, b down, a:9, quorum down"
    assert said(inhibited.report(key("b"), "x", True, 2.0)) == "b up, a:1, b:1, quorum up"


def test_hysteresis_dampens_gain_and_loss() -> None:
    pool = started(*(server(one) for one in "abcde"), quorum=3, hysteresis=1)
    told = [said(pool.report(key(one), "x", False, 1.0)) for one in "abcd"]
    assert told == ["-a, a down", "-b, b down", "-c, c down", "-d, d down, quorum down"]
    told = [said(pool.report(key(one), "x", True, 2.0)) for one in "abcd"]
    assert told == ["+a:1, a up", "+b:1, b up", "+c:1, c up, quorum up", "+d:1, d up"]


def test_weights_that_checkers_add_are_summed_and_never_below_0() -> None:
    pool = started(server("a", weight=10, checkers="xy"), server("b"))
    assert said(pool.report(key("a"), "x", True, 1.0, weight=5)) == "a:15"
    assert said(pool.report(key("a"), "y", True, 2.0, weight=-20)) == "a:0"
    assert said(pool.report(key("a"), "x", True, 3.0, weight=11)) == "a:1"
    assert said(pool.report(key("a"), "x", True, 4.0)) == ""
    assert said(pool.report(key("a"), "y", False, 5.0, weight=0)) == "-a, a down"
    assert said(pool.report(key("a"), "x", True, 6.0, weight=0)) == ""
    assert said(pool.report(key("a"), "y", True, 7.0, weight=2)) == "+a:12, a up"


def test_a_weight_of_0_is_alive_and_counts_nothing_for_quorum() -> None:
    pool = started(server("a"), server("b"), quorum=2, sorry=SORRY)
    assert said(pool.report(key("a"), "x", True, 1.0, weight=-1)) == "a:0, -a, -b, +sorry:1, quorum down"
    assert pool.server(key("a")).alive
    assert said(pool.report(key("a"), "x", True, 2.0, weight=0)) == "-sorry, +a:1, +b:1, quorum up"


def test_an_agent_drains_and_takes_out_its_server() -> None:
    pool = started(server("a", weight=4), server("b"))
    assert said(pool.report(key("a"), "x", True, 1.0, standing=Standing.DRAIN)) == "a:0"
    assert said(pool.report(key("a"), "x", True, 2.0, weight=8)) == ""
    assert said(pool.report(key("a"), "x", True, 3.0, standing=Standing.READY)) == "a:12"
    assert said(pool.report(key("a"), "x", True, 4.0, standing=Standing.MAINT)) == "-a, a down"
    assert said(pool.report(key("a"), "x", True, 5.0, standing=Standing.READY)) == "+a:12, a up"


def test_the_operators_weight_is_kept_apart_from_what_checks_decide() -> None:
    pool = started(server("a", weight=4), server("b"))
    assert said(pool.hold(key("a"), 0, 1.0)) == "a:0"
    assert said(pool.report(key("a"), "x", True, 2.0, weight=3)) == ""
    assert said(pool.hold(key("a"), None, 3.0)) == "a:7"
    assert said(pool.hold(key("a"), 9, 4.0)) == "a:9"
    assert said(pool.report(key("a"), "x", False, 5.0)) == "-a, a down"
    assert said(pool.report(key("a"), "x", True, 6.0)) == "+a:9, a up"
    with pytest.raises(ValueError, match="weight -1"):
        pool.hold(key("a"), -1, 6.0)


def test_a_server_that_was_quiesced_stays_with_weight_0_though_its_checks_fail() -> None:
    pool = started(server("a", weight=4), server("b"))
    assert said(pool.hold(key("a"), 0, 1.0)) == "a:0"
    assert said(pool.report(key("a"), "x", False, 2.0)) == "a down"
    assert pool.table() == {key("a"): 0, key("b"): 1}
    assert said(pool.hold(key("a"), None, 3.0)) == "-a"
    assert said(pool.hold(key("a"), 0, 4.0)) == "+a:0"
    assert said(pool.report(key("a"), "x", True, 5.0)) == "a up"
    assert said(pool.hold(key("a"), None, 6.0)) == "a:4"


def test_what_the_operator_does_costs_no_quorum_until_nobody_takes_new_connections() -> None:
    pool = started(server("a"), server("b"), quorum=2, sorry=SORRY)
    assert said(pool.hold(key("a"), 0, 1.0)) == "a:0"
    assert pool.live_weight == 2
    assert said(pool.hold(key("b"), 0, 2.0)) == "b:0, +sorry:1, quorum down"
    assert said(pool.report(key("b"), "x", False, 3.0)) == "b down"
    assert pool.table() == {key("a"): 0, key("b"): 0, SORRY.key: 1}
    assert said(pool.hold(key("a"), 5, 4.0)) == "-a"
    assert said(pool.report(key("b"), "x", True, 5.0)) == "b up, -sorry, +a:5, quorum up"


def test_a_checker_that_quiesces_leaves_its_server_in_the_table_unless_another_one_fails() -> None:
    checkers = (CheckerSettings("x"), CheckerSettings("q", quiesces=True))
    pool = started(ServerSettings(key("a"), 3, checkers=checkers), server("b"))
    assert said(pool.report(key("a"), "q", False, 1.0)) == "a:0, a down"
    assert pool.live_weight == 1
    assert said(pool.report(key("a"), "x", False, 2.0)) == "-a"
    assert said(pool.report(key("a"), "x", True, 3.0)) == "+a:0"
    assert said(pool.report(key("a"), "q", True, 4.0)) == "a:3, a up"


def test_a_server_whose_agent_drains_it_stays_beside_the_sorry_server() -> None:
    pool = started(server("a"), server("b"), sorry=SORRY)
    pool.report(key("a"), "x", True, 1.0, standing=Standing.DRAIN)
    assert said(pool.report(key("b"), "x", False, 2.0)) == "-b, b down, +sorry:1, quorum down"
    assert pool.table() == {key("a"): 0, SORRY.key: 1}
    assert said(pool.report(key("a"), "x", True, 3.0, standing=Standing.MAINT)) == "-a, a down"


def test_the_end_is_silent_but_for_omega() -> None:
    pool = started(server("a"), server("b"), server("c", inhibit=True))
    pool.report(key("b"), "x", False, 1.0)
    assert said(pool.stop(2.0)) == "-a, -c"
    loud = started(server("a"), server("b", alpha=True), omega=True)
    assert said(loud.stop(1.0)) == "-a, a down stopping, quorum down stopping"
    assert loud.table() == {}


def test_a_reload_changes_only_what_differs_and_keeps_what_checks_found() -> None:
    pool = started(server("a"), server("b"), server("c"))
    pool.report(key("a"), "x", False, 1.0)
    again = PoolSettings((server("a"), server("b", weight=2), server("d"), server("e", alpha=True)))
    assert said(pool.reload(again, 2.0)) == "-c, b:2, +d:1, c down"
    assert said(pool.reload(again, 3.0)) == ""
    assert said(pool.report(key("a"), "x", True, 4.0)) == "+a:1, a up"


def test_a_reload_may_take_away_the_checker_that_was_down_or_add_one() -> None:
    pool = started(server("a", checkers="xy"), server("b"))
    pool.report(key("a"), "y", False, 1.0)
    assert said(pool.reload(PoolSettings((server("a"), server("b"))), 2.0)) == "+a:1, a up"
    added = PoolSettings((server("a", checkers="xz", alpha=True), server("b")))
    assert said(pool.reload(added, 3.0)) == ""
    assert said(pool.report(key("a"), "z", False, 4.0)) == "-a, a down"


def test_a_reload_may_change_quorum_and_sorry_server() -> None:
    servers = (server("a"), server("b"))
    pool = started(*servers)
    pool.report(key("a"), "x", False, 1.0)
    assert said(pool.reload(PoolSettings(servers, quorum=2, sorry=SORRY), 2.0)) == "-b, +sorry:1, quorum down"
    other = SorryServer((IPv4Address("10.0.0.26"), 80))
    assert said(pool.reload(PoolSettings(servers, quorum=2, sorry=other), 3.0)) == "-sorry, +z:1"
    assert said(pool.reload(PoolSettings(servers, quorum=2), 4.0)) == "-z, +b:1"
    assert said(pool.reload(PoolSettings(servers, quorum=2, sorry=SORRY), 5.0)) == "-b, +sorry:1, quorum down"
    assert said(pool.reload(PoolSettings(servers, sorry=SORRY), 6.0)) == "-sorry, +b:1, quorum up"


def test_a_reload_may_begin_and_end_inhibition() -> None:
    pool = started(server("a"), server("b"))
    pool.report(key("a"), "x", False, 1.0)
    assert said(pool.reload(PoolSettings((server("a", inhibit=True), server("b"))), 2.0)) == "+a:0"
    assert said(pool.reload(PoolSettings((server("a"), server("b"))), 3.0)) == "-a"


def test_what_is_not_configured_is_not_heard() -> None:
    pool = started(server("a"))
    for one, checker in (("b", "x"), ("a", "y")):
        with pytest.raises(KeyError):
            pool.report(key(one), checker, True, 1.0)
    with pytest.raises(ValueError, match="two checkers"):
        Pool(PoolSettings((server("a", checkers="xx"),))).start(0.0)


def test_a_server_that_comes_back_grows_while_one_that_was_there_at_the_start_has_all_its_weight() -> None:
    pool = Pool(PoolSettings((slow("a"), slow("b"))))
    assert said(pool.start(0.0)) == "+a:10, +b:10, quorum up starting"
    assert pool.next_step() is None
    assert said(pool.report(key("a"), "x", False, 1.0)) == "-a, a down"
    assert said(pool.report(key("a"), "x", True, 100.0)) == "+a:1, a up, a grows to 10 in 10"
    assert pool.next_step() == 101.0
    assert said(pool.grow(100.5)) == ""
    assert said(pool.grow(105.0)) == "a:5"
    assert pool.next_step() == 106.0
    assert said(pool.grow(110.0)) == "a:10, a has grown to 10"
    assert (pool.next_step(), pool.growing()) == (None, {})


def test_a_server_in_alpha_mode_that_its_first_check_finds_well_only_starts_and_else_comes_back() -> None:
    pool = started(slow("a", alpha=True), slow("b", alpha=True), server("c"))
    assert said(pool.report(key("a"), "x", True, 1.0)) == "+a:10, a up"
    assert said(pool.report(key("b"), "x", False, 1.0)) == "b down"
    assert said(pool.report(key("b"), "x", True, 2.0)) == "+b:1, b up, b grows to 10 in 10"


def test_a_server_that_was_down_before_the_daemon_was_killed_comes_back_and_one_that_grew_goes_on() -> None:
    pool = Pool(PoolSettings((slow("a"), slow("b"))))
    pool.start(50.0, [(key("a"), "x", failure(""))])
    assert said(pool.resume({key("b"): Growth(45.0, 10.0), key("c"): Growth(45.0, 10.0)}, 50.0)) == "b:5"
    assert said(pool.report(key("a"), "x", True, 51.0)) == "+a:1, a up, a grows to 10 in 10"
    assert said(pool.grow(55.0)) in ("a:4, b:10, b has grown to 10", "b:10, b has grown to 10, a:4")


def test_the_quorum_counts_a_weight_that_grows_as_a_whole() -> None:
    pool = Pool(PoolSettings((slow("a"), slow("b")), quorum=20, sorry=SORRY))
    pool.start(0.0)
    pool.report(key("a"), "x", False, 1.0)
    assert (pool.quorum_up, pool.sorry_in) == (False, True)
    assert said(pool.report(key("a"), "x", True, 2.0)) == "a up, a grows to 10 in 10, -sorry, +a:1, +b:10, quorum up"


def test_what_checks_change_on_the_way_changes_what_it_grows_to_and_weight_0_ends_it() -> None:
    pool = started(slow("a"), server("b"))
    pool.report(key("a"), "x", False, 1.0)
    pool.report(key("a"), "x", True, 10.0)
    assert said(pool.report(key("a"), "x", True, 15.0, weight=30)) == "a:20"
    assert said(pool.report(key("a"), "x", True, 16.0, standing=Standing.DRAIN)) == "a:0"
    assert pool.next_step() is None
    assert said(pool.report(key("a"), "x", True, 17.0, standing=Standing.READY)) == "a:1, a grows to 40 in 10"


def test_an_operator_s_weight_counts_at_once_and_ends_a_growth_and_what_he_gives_back_grows() -> None:
    pool = started(slow("a"), server("b"))
    pool.report(key("a"), "x", False, 1.0)
    pool.report(key("a"), "x", True, 10.0)
    assert said(pool.hold(key("a"), 7, 12.0)) == "a:7"
    assert said(pool.hold(key("a"), None, 13.0)) == "a:10"
    assert said(pool.hold(key("a"), 0, 14.0)) == "a:0"
    assert said(pool.hold(key("a"), 5, 15.0)) == "a:5"
    assert said(pool.hold(key("a"), 0, 16.0)) == "a:0"
    assert said(pool.hold(key("a"), None, 17.0)) == "a:1, a grows to 10 in 10"


def test_a_server_with_an_operator_s_weight_that_died_grows_to_that() -> None:
    pool = started(slow("a"), server("b"))
    pool.hold(key("a"), 4, 1.0)
    pool.report(key("a"), "x", False, 2.0)
    assert said(pool.report(key("a"), "x", True, 3.0)) == "+a:1, a up, a grows to 4 in 10"


def test_a_reload_lets_a_new_server_grow_and_changes_the_weight_or_the_pace_of_one_that_does() -> None:
    pool = started(server("b"))
    assert said(pool.reload(PoolSettings((server("b"), slow("a"))), 10.0)) == "+a:1, a grows to 10 in 10"
    assert said(pool.reload(PoolSettings((server("b"), slow("a", weight=100))), 15.0)) == "a:50"
    assert said(pool.reload(PoolSettings((server("b"), slow("a", weight=100, over=100.0))), 15.0)) == ""
    assert said(pool.grow(16.0)) == "a:51"
    assert said(pool.reload(PoolSettings((server("b"), slow("a", weight=100, over=0.0))), 17.0)) == "a:100"
    assert said(pool.reload(PoolSettings((server("b"), slow("a", weight=100))), 18.0)) == ""


def test_a_weight_of_1_does_not_grow() -> None:
    pool = started(slow("a", weight=1), server("b"))
    pool.report(key("a"), "x", False, 1.0)
    assert said(pool.report(key("a"), "x", True, 2.0)) == "+a:1, a up"
    assert pool.server(key("a")).growth is None


def test_of_many_that_grow_some_take_their_turn_at_a_time() -> None:
    many = tuple(
        ServerSettings((IPv4Address("10.0.1.0") + number, 80), 100, slow_start=10.0) for number in range(2 * MOST_STEPS)
    )
    pool = started(server("a"))
    pool.reload(PoolSettings((server("a"), *many)), 0.0)
    first, second = pool.grow(5.0), pool.grow(5.0)
    assert pool.next_step() == 5.1
    assert len(first) == len(second) == MOST_STEPS
    assert {action.server for action in (*first, *second)} == {one.key for one in many}  # type: ignore[union-attr]
    assert {action.weight for action in (*first, *second)} == {50}  # type: ignore[union-attr]
