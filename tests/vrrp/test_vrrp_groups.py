"""Groups and tracked things: what the whole of a machine's virtual routers does."""

from __future__ import annotations

import pytest
from vrrp_making import MORE, advert, hear, instance, run_to, started, words

from directrix.vrrp.configuration import Configuration, Group
from directrix.vrrp.effects import Effect, GroupChanged
from directrix.vrrp.routers import Routers
from directrix.vrrp.states import State
from directrix.vrrp.tracked import File, Process, Script, Tracked, Tracking
from directrix.vrrp.values import Command, InvalidConfiguration

INSIDE = instance("inside", 1, interface="eth1")
OUTSIDE = instance("outside", 2, interface="eth0")
GROUP = Group("G", ("inside", "outside"))
CHECK = Script("check", Command(("/bin/true",)))


def pair(**changes: object) -> Routers:
    return started(INSIDE, OUTSIDE, groups=(GROUP,), **changes)  # type: ignore[arg-type]


def states(routers: Routers) -> dict[str, str]:
    return {router.instance.name: router.state.name for router in routers}


def both(state: str) -> dict[str, str]:
    return {"inside": state, "outside": state}


def groups(effects: list[Effect]) -> list[str]:
    return [effect.state.name for effect in effects if isinstance(effect, GroupChanged)]


def test_members_become_master_together_and_the_group_is_told_last() -> None:
    routers = pair()
    effects = [effect for _, effect in run_to(routers, 3.7)]
    assert states(routers) == both("MASTER")
    assert groups(effects) == ["MASTER"]
    assert isinstance(effects[-1], GroupChanged)


def test_a_member_whose_link_is_silent_waits_while_another_hears_the_master() -> None:
    routers = pair()
    for second in range(1, 10):
        hear(routers, advert(200), MORE, float(second), "outside")
        run_to(routers, second + 0.9)
    assert states(routers) == both("BACKUP")
    assert routers["inside"].wants_master
    run_to(routers, 20.0)
    assert states(routers) == both("MASTER")


def test_a_member_that_hears_a_master_again_no_longer_wants_to_be_it() -> None:
    routers = pair()
    hear(routers, advert(200), MORE, 3.0, "outside")
    run_to(routers, 3.7)
    assert routers["inside"].wants_master
    hear(routers, advert(200), MORE, 4.0, "inside")
    assert not routers["inside"].wants_master
    run_to(routers, 6.7)
    assert states(routers) == both("BACKUP")


def test_when_one_member_gives_way_all_do() -> None:
    routers = pair()
    run_to(routers, 3.7)
    effects = hear(routers, advert(200), MORE, 4.0, "inside")
    assert states(routers) == both("BACKUP")
    assert words(effects) == ["release", "BACKUP", "release", "BACKUP"]
    assert groups(effects) == ["BACKUP"]


def test_when_one_member_is_in_fault_all_are_and_they_recover_together() -> None:
    routers = pair()
    run_to(routers, 3.7)
    routers.conditions.interfaces["eth1"] = False
    effects = routers.reassess(4.0)
    assert states(routers) == both("FAULT")
    assert words(effects) == ["send 0", "release", "FAULT", "send 0", "release", "FAULT"]
    assert groups(effects) == ["FAULT"]
    routers.conditions.interfaces["eth1"] = True
    assert groups(routers.reassess(5.0)) == ["BACKUP"]
    assert states(routers) == both("BACKUP")
    run_to(routers, 8.7)
    assert states(routers) == both("MASTER")


def test_a_fault_that_lasts_is_told_once() -> None:
    routers = pair()
    routers.conditions.interfaces["eth1"] = False
    assert routers.reassess(1.0)
    assert routers.reassess(2.0) == []


def test_owners_in_a_group_are_master_at_once_only_if_all_are() -> None:
    owners = [
        instance(name, vrid, priority=255, starts_as_master=True) for name, vrid in (("inside", 1), ("outside", 2))
    ]
    assert states(started(*owners, groups=(GROUP,))) == both("MASTER")
    assert states(started(owners[0], OUTSIDE, groups=(GROUP,))) == both("BACKUP")


def test_an_instance_starts_in_fault_while_its_interface_is_down_and_does_not_count_it_if_told_so() -> None:
    assert started(instance(), up=())["VI"].state is State.FAULT
    assert started(instance(track_interface=False), up=())["VI"].state is State.BACKUP


def test_an_unweighted_script_is_waited_for_and_then_decides() -> None:
    tracking = Tracking(scripts=(Tracked("check"),))
    routers = started(instance(tracking=tracking), scripts=(CHECK,))
    assert routers["VI"].state is State.INITIALIZE
    assert routers.assessment("VI").undecided == ("script check",)
    assert routers.conditions.script_ended("check", True)
    routers.reassess(1.0)
    assert routers["VI"].state is State.BACKUP
    assert not routers.conditions.script_ended("check", True)
    assert routers.conditions.script_ended("check", False)
    assert words(routers.reassess(2.0)) == ["FAULT"]
    assert not routers.conditions.script_ended("gone", False), "the result of one that a reload took away"


def test_weights_of_scripts_processes_files_and_interfaces_change_the_priority() -> None:
    tracking = Tracking(
        interfaces=(Tracked("eth1", -20),),
        scripts=(Tracked("check", 10),),
        processes=(Tracked("web"),),
        files=(Tracked("drain", -1),),
    )
    routers = started(
        instance(priority=100, tracking=tracking),
        scripts=(CHECK,),
        processes=(Process("web", "nginx", weight=5),),
        files=(File("drain", "/run/drain"),),
    )
    conditions = routers.conditions

    def priority() -> int:
        routers.reassess(1.0)
        return routers["VI"].priority

    assert priority() == 100
    conditions.script_ended("check", True)
    assert priority() == 110
    conditions.processes["web"] = True
    assert priority() == 115
    conditions.interfaces["eth1"] = False
    assert priority() == 95
    conditions.files["drain"] = 60
    assert priority() == 35
    assert routers["VI"].state is State.BACKUP


def test_what_single_members_of_a_group_track_counts_without_weight_unless_the_group_lets_it() -> None:
    weighted = instance("inside", 1, interface="eth1", tracking=Tracking(scripts=(Tracked("check", -20),)))
    for lets, state, priority in ((False, "FAULT", 100), (True, "BACKUP", 80)):
        group = Group("G", ("inside", "outside"), weights_count=lets)
        routers = started(weighted, OUTSIDE, groups=(group,), scripts=(CHECK,))
        routers.conditions.script_ended("check", False)
        routers.reassess(1.0)
        assert states(routers) == both(state)
        assert routers["inside"].priority == priority


def test_what_a_group_tracks_changes_all_members_priorities() -> None:
    group = Group("G", ("inside", "outside"), tracking=Tracking(scripts=(Tracked("check", -20),)))
    routers = started(INSIDE, OUTSIDE, groups=(group,), scripts=(CHECK,))
    routers.conditions.script_ended("check", False)
    routers.reassess(1.0)
    assert [router.priority for router in routers] == [80, 80]


def test_without_an_address_to_send_from_an_instance_is_in_fault() -> None:
    routers = started(instance())
    routers.conditions.without_source = {"VI"}
    assert words(routers.reassess(1.0)) == ["FAULT"]


def test_an_instance_that_misses_what_it_follows_is_in_fault_until_it_is_back() -> None:
    routers = started(instance())
    routers.conditions.missing = {"VI": ["a route is missing"], "another": ["an address is missing"]}
    assert words(routers.reassess(1.0)) == ["FAULT"]
    assert routers.assessment("VI").faults == ("a route is missing",)
    routers.conditions.missing = {}
    assert words(routers.reassess(2.0)) == ["BACKUP"]


def test_a_stopped_machine_does_not_come_back_because_something_recovers() -> None:
    routers = started(instance(), up=())
    routers.stop(1.0)
    routers.conditions.interfaces["eth0"] = True
    assert routers.reassess(2.0) == []
    assert routers["VI"].state is State.INITIALIZE


def test_a_reload_may_put_instances_into_a_group_and_take_them_out() -> None:
    routers = started(INSIDE, OUTSIDE)
    run_to(routers, 3.7)
    routers.reload(Configuration((INSIDE, OUTSIDE), groups=(GROUP,)), 4.0)
    assert states(routers) == both("MASTER")
    hear(routers, advert(200), MORE, 5.0, "inside")
    assert states(routers) == both("BACKUP")
    routers.reload(Configuration((INSIDE, OUTSIDE)), 6.0)
    run_to(routers, 11.0)
    hear(routers, advert(200), MORE, 12.0, "inside")
    assert states(routers) == {"inside": "BACKUP", "outside": "MASTER"}


def test_a_script_that_a_reload_keeps_keeps_its_state() -> None:
    tracking = Tracking(scripts=(Tracked("check"),))
    configuration = Configuration((instance(tracking=tracking),), scripts=(CHECK,))
    routers = started(*configuration.instances, scripts=(CHECK,))
    routers.conditions.script_ended("check", True)
    routers.reassess(1.0)
    routers.reload(configuration, 2.0)
    assert routers["VI"].state is State.BACKUP
    assert routers.assessment("VI").undecided == ()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: instance(vrid=0), "virtual_router_id 0"),
        (lambda: instance(vrid=256), "virtual_router_id 256"),
        (lambda: instance(priority=0), "priority 0"),
        (lambda: instance(version=4), "version 4"),
        (lambda: instance(interval=50), "whole seconds"),
        (lambda: instance(version=3, interval=4096), "0.01 to 40.95"),
        (lambda: instance(version=3, interval=0), "advert_int 0"),
        (lambda: instance(interface=""), "takes unicast peers"),
        (lambda: instance(down_adverts=0), "down_timer_adverts 0"),
        (lambda: Configuration((instance(), instance(vrid=2))), "two instances are called VI"),
        (lambda: Configuration((instance("a"), instance("b"))), "virtual_router_id 51 on eth0"),
        (lambda: Configuration((INSIDE,), groups=(Group("G", ("inside", "gone")),)), "no such instance"),
        (lambda: Configuration((INSIDE, OUTSIDE), groups=(GROUP, Group("H", ("inside",)))), "in two groups"),
        (lambda: Configuration((instance(tracking=Tracking(files=(Tracked("x"),))),)), "not among the files"),
        (lambda: Command(()), "without words"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_what_is_wrong(make: object, words: str) -> None:
    with pytest.raises(InvalidConfiguration, match=words):
        make()  # type: ignore[operator]
