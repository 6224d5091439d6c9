"""One virtual router: who is master, and when what is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vrrp_making import LESS, MORE, US, advert, hear, instance, run_to, started, words

from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.effects import Announce, PriorityChanged, SendAdvertisement, StateChanged, WeakerHeard
from directrix.vrrp.routers import Routers
from directrix.vrrp.states import State
from directrix.vrrp.values import Gratuitous, Notify, VirtualAddress


def master(**changes: object) -> Routers:
    """A router that is master since time 0, as its first advert is."""
    routers = started(instance(**changes), now=-100.0)
    deadline = routers["VI"].deadline
    assert deadline is not None
    routers["VI"].deadlines = dict.fromkeys(routers["VI"].deadlines, 0.0)
    routers.expire(0.0)
    assert routers["VI"].state is State.MASTER
    return routers


def test_a_router_alone_is_master_after_the_master_down_interval() -> None:
    routers = started(instance(priority=100))
    assert run_to(routers, 3.60) == []
    events = run_to(routers, 3.61)
    assert words([effect for _, effect in events]) == ["send 100", "take", "announce 5", "MASTER"]
    assert events[0][0] == pytest.approx(3 + 156 / 256)


def test_the_owner_is_master_at_once_if_it_is_to_begin_so() -> None:
    routers = Routers(Configuration((instance(priority=255, starts_as_master=True),)))
    routers.conditions.interfaces = {"eth0": True}
    assert words(routers.start(0.0)) == ["send 255", "take", "announce 5", "MASTER"]
    assert started(instance(priority=255))["VI"].state is State.BACKUP
    assert started(instance(priority=254, starts_as_master=True))["VI"].state is State.BACKUP


def test_a_master_sends_an_advert_every_interval() -> None:
    routers = master(version=3, interval=25)
    sent = [at for at, effect in run_to(routers, 1.01) if isinstance(effect, SendAdvertisement)]
    assert sent == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_backup_waits_anew_after_each_advert_of_a_master_that_is_not_below_it() -> None:
    routers = started(instance(priority=100))
    hear(routers, advert(100), MORE, 3.0)
    hear(routers, advert(200), MORE, 6.0)
    assert run_to(routers, 9.60) == []
    assert words([effect for _, effect in run_to(routers, 9.61)])[-1] == "MASTER"


def test_a_backup_takes_over_from_a_weaker_master_when_its_own_time_is_up() -> None:
    routers = started(instance(priority=150))
    for second in (1.0, 2.0, 3.0):
        assert hear(routers, advert(100), MORE, second) == []
    assert words([effect for _, effect in run_to(routers, 3.42)])[-1] == "MASTER"


def test_nopreempt_leaves_a_weaker_master_in_place() -> None:
    routers = started(instance(priority=150, nopreempt=True))
    for second in range(1, 20):
        hear(routers, advert(100), MORE, float(second))
        assert run_to(routers, second + 0.99) == []
    assert words([effect for _, effect in run_to(routers, 22.5)])[-1] == "MASTER", "but a dead one is replaced"


def test_preempt_delay_lets_a_weaker_master_stay_so_long_after_it_was_first_heard() -> None:
    routers = started(instance(priority=150, preempt_delay=10.0))
    taken = None
    for second in range(1, 20):
        hear(routers, advert(100), MORE, float(second))
        for at, effect in run_to(routers, second + 0.99):
            taken = taken or (at if isinstance(effect, StateChanged) else None)
    # The advert at 10 s is the last that counts (the delay began at 1 s): then a whole master down interval.
    assert taken == pytest.approx(10 + 3 + 106 / 256)


def test_preempt_delay_begins_anew_after_a_stronger_master() -> None:
    routers = started(instance(priority=150, preempt_delay=5.0))
    hear(routers, advert(100), MORE, 1.0)
    hear(routers, advert(200), MORE, 2.0)
    hear(routers, advert(100), MORE, 3.0)
    hear(routers, advert(100), MORE, 6.5)
    assert run_to(routers, 9.9) == []


def test_after_a_resignation_a_backup_waits_its_skew_time_only() -> None:
    routers = started(instance(priority=100))
    hear(routers, advert(200), MORE, 1.0)
    hear(routers, advert(0), MORE, 1.5)
    ((at, _), *_) = run_to(routers, 4.0)
    assert at == pytest.approx(1.5 + 156 / 256)


def test_a_master_answers_a_resignation_at_once() -> None:
    routers = master()
    assert words(hear(routers, advert(0), MORE, 0.5)) == ["send 100"]
    assert words([effect for _, effect in run_to(routers, 1.49)]) == []


def test_version_3_learns_the_masters_interval_and_version_2_keeps_its_own() -> None:
    fast = started(instance(version=3, interval=100, priority=100))
    hear(fast, advert(200, instance(version=3), interval=10), MORE, 0.0)
    assert fast["VI"].deadline == pytest.approx(0.3 + 0.1 * 156 / 256)
    old = started(instance(version=2, priority=100))
    hear(old, advert(200), MORE, 0.0)
    assert old["VI"].deadline == pytest.approx(3 + 156 / 256)


def test_a_master_sends_by_its_own_interval_whatever_it_learned_as_backup() -> None:
    routers = started(instance(version=3, interval=100, priority=100))
    hear(routers, advert(200, instance(version=3), interval=10), MORE, 0.0)
    events = run_to(routers, 3.0)
    sent = [at for at, effect in events if isinstance(effect, SendAdvertisement)]
    assert sent[1] - sent[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("priority", "source", "stays"),
    [(99, MORE, True), (101, LESS, False), (100, LESS, True), (100, MORE, False)],
)
def test_of_two_masters_the_higher_priority_stays_and_at_a_tie_the_higher_address(
    priority: int, source: object, stays: bool
) -> None:
    routers = master(priority=100)
    effects = words(hear(routers, advert(priority), source, 0.5))  # type: ignore[arg-type]
    if stays:
        assert effects == ["send 100", "announce 5"]
        assert routers["VI"].state is State.MASTER
    else:
        assert effects == ["release", "BACKUP"]
        assert routers["VI"].deadline == pytest.approx(0.5 + 3 + 156 / 256)


def test_a_master_remembers_another_that_was_heard_since_it_is_master() -> None:
    routers = started(instance(priority=150))
    hear(routers, advert(200), MORE, 1.0)
    assert routers["VI"].master == MORE
    run_to(routers, 5.0)
    assert (routers["VI"].state, routers["VI"].master) == (State.MASTER, None)
    hear(routers, advert(100), LESS, 5.0)
    assert (routers["VI"].state, routers["VI"].master, routers["VI"].master_priority) == (State.MASTER, LESS, 100)


def test_a_master_forgets_another_that_gave_way() -> None:
    for way in ("it falls silent", "it resigns"):
        routers = master(priority=100)
        hear(routers, advert(50), MORE, 0.5)
        assert routers["VI"].master == MORE, way
        if way == "it resigns":
            hear(routers, advert(0), MORE, 0.6)
        else:
            run_to(routers, 3.0)
            assert routers["VI"].master == MORE
            run_to(routers, 6.0)
        assert (routers["VI"].state, routers["VI"].master, routers["VI"].master_priority) == (State.MASTER, None, 0), (
            way
        )


def test_an_equal_advert_from_our_own_address_changes_nothing() -> None:
    routers = master(priority=100)
    assert words(hear(routers, advert(100), US, 0.5)) == []
    assert routers["VI"].state is State.MASTER


def test_a_weaker_master_is_not_answered_with_lower_prio_no_advert() -> None:
    routers = master(lower_prio_no_advert=True)
    assert words(hear(routers, advert(50), MORE, 0.5)) == ["announce 5"]
    assert run_to(routers, 1.0)[0][0] == pytest.approx(1.0), "its own adverts go on as they were"


def test_a_stronger_master_is_answered_first_with_higher_prio_send_advert() -> None:
    routers = master(higher_prio_send_advert=True)
    assert words(hear(routers, advert(200), MORE, 0.5)) == ["send 100", "release", "BACKUP"]


def test_a_second_owner_makes_this_one_give_way_and_go_on_below() -> None:
    routers = started(instance(priority=255, starts_as_master=True))
    effects = hear(routers, advert(255), LESS, 0.5)
    assert words(effects) == ["release", "BACKUP"]
    assert routers["VI"].priority == 254
    assert any("owner" in getattr(effect, "text", "") for effect in effects)


def test_addresses_are_announced_at_once_after_the_delay_and_at_every_refresh() -> None:
    gratuitous = Gratuitous(master_delay=5, master_repeat=3, refresh=8, refresh_repeat=2)
    routers = master(gratuitous=gratuitous)
    told = [(at, effect.rounds) for at, effect in run_to(routers, 25.0) if isinstance(effect, Announce)]
    assert told == [(5.0, 3), (8.0, 2), (16.0, 2), (24.0, 2)]


def test_addresses_are_announced_again_after_a_weaker_master() -> None:
    gratuitous = Gratuitous(master_delay=0, lower_prio_delay=2, lower_prio_repeat=4)
    routers = master(gratuitous=gratuitous)
    effects = hear(routers, advert(50), MORE, 0.5)
    assert words(effects) == ["send 100", "announce 4"]
    assert isinstance(effects[-1], WeakerHeard)
    assert [(at, e.rounds) for at, e in run_to(routers, 10.0) if isinstance(e, Announce)] == [(2.5, 4)]


def test_who_is_no_longer_master_announces_nothing() -> None:
    routers = master()
    hear(routers, advert(200), MORE, 0.5)
    assert [effect for _, effect in run_to(routers, 3.9) if isinstance(effect, Announce)] == []


def test_a_master_that_stops_resigns_and_keeps_the_addresses_until_it_hears_the_new_one() -> None:
    routers = master()
    assert words(routers.stop(1.0)) == ["send 0"]
    assert not routers.stopped
    assert words(hear(routers, advert(0), MORE, 1.1)) == []
    assert words(hear(routers, advert(50), LESS, 1.4)) == ["release", "INITIALIZE"]
    assert routers.stopped
    assert routers.deadline is None


def test_a_master_that_stops_and_hears_nobody_gives_the_addresses_up_after_the_longest_skew_time() -> None:
    routers = master(version=3, interval=20)
    routers.stop(1.0)
    events = run_to(routers, 9.0)
    assert words([effect for _, effect in events]) == ["release", "INITIALIZE"]
    assert 1.2 < events[0][0] < 1.4


def test_a_backup_that_stops_just_stops() -> None:
    routers = started(instance())
    assert words(routers.stop(1.0)) == ["INITIALIZE"]
    assert routers.stopped
    assert words(hear(routers, advert(200), MORE, 1.5)) == []


def test_a_changed_priority_moves_the_running_time() -> None:
    routers = started(instance(priority=100))
    before = routers["VI"].deadline
    assert before is not None
    routers["VI"].set_priority(50, 1.0)
    assert routers["VI"].deadline == pytest.approx(before - 50 / 256)


def test_priorities_stay_between_1_and_254_and_the_owners_is_255() -> None:
    router = started(instance(priority=100))["VI"]
    router.set_priority(1000, 0.0)
    assert router.priority == 254
    router.set_priority(-1000, 0.0)
    assert router.priority == 1
    owner = started(instance(priority=255))["VI"]
    owner.set_priority(-100, 0.0)
    assert owner.priority == 255


def test_changed_priorities_are_told_if_asked() -> None:
    quiet = started(instance())["VI"].set_priority(5, 0.0)
    loud = started(instance(notify=Notify(priority_changes=True)))["VI"].set_priority(5, 0.0)
    assert not any(isinstance(effect, PriorityChanged) for effect in quiet)
    assert [(e.state, e.priority) for e in loud if isinstance(e, PriorityChanged)] == [(State.BACKUP, 105)]


def reload(routers: Routers, *instances: Instance, now: float = 1.0) -> list[str]:
    return words(routers.reload(Configuration(instances), now))


def test_a_reload_that_changes_nothing_disturbs_nothing() -> None:
    routers = master()
    assert reload(routers, instance()) == ["take"]
    assert routers["VI"].state is State.MASTER


def test_a_master_reloaded_with_a_lower_priority_says_so_and_holds_on_until_somebody_takes_over() -> None:
    routers = master(priority=200)
    reload(routers, instance(priority=50))
    assert words([effect for _, effect in run_to(routers, 1.0)]) == ["send 50"]
    assert routers["VI"].state is State.MASTER
    assert words(hear(routers, advert(100), LESS, 2.0)) == ["release", "BACKUP"]


def test_a_master_reloaded_with_another_address_takes_and_announces_it() -> None:
    routers = master()
    more = replace(instance(), excluded=(VirtualAddress(MORE, 32),))
    assert reload(routers, more) == ["take", "announce 5"]


def test_an_instance_that_a_reload_takes_away_leaves_in_good_order() -> None:
    routers = master()
    assert reload(routers) == ["send 0"]
    (leaving,) = routers.leaving
    assert not routers.stopped
    effects = routers.hear(leaving, advert(50), LESS, US, 1.5)
    assert words(effects) == ["release", "INITIALIZE"]
    assert [effect.deleted for effect in effects if isinstance(effect, StateChanged)] == [True]
    assert routers.leaving == []


def test_an_instance_under_another_name_begins_anew() -> None:
    routers = master()
    assert reload(routers, instance("other")) == ["send 0", "release", "INITIALIZE", "BACKUP"]


def test_a_master_of_an_earlier_life_goes_on_if_nothing_is_wrong() -> None:
    routers = Routers(Configuration((instance(),)))
    routers.conditions.interfaces = {"eth0": True}
    assert words(routers.start(0.0, ["VI"])) == ["send 100", "take", "announce 5", "MASTER"]
    routers = Routers(Configuration((instance(),)))
    assert words(routers.start(0.0, ["VI"])) == ["FAULT"], "its interface is down"
