"""A plan changes what differs and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from director_making import KEY, NAME, PLAIN, A, service, setup
from hypothesis import given
from hypothesis import strategies as st

from directrix.director import planning
from directrix.director.memory import Memory, Remembered
from directrix.director.plan import (
    ServerChange,
    ServiceChange,
    WantedService,
    WantedTwice,
    as_objects,
    as_text,
    carry_out,
    make_plan,
)
from directrix.lvs import (
    ForwardingMethod,
    Protocol,
    RealServer,
    SchedulerFlags,
    ServiceKey,
    TableError,
    Tunnel,
    TunnelType,
    VirtualService,
    parse_address,
)
from directrix.table.memory import MemoryTable

WEB = VirtualService(ServiceKey.of(Protocol.TCP, parse_address("10.0.0.100"), 80), "wrr")
MAIL = VirtualService(ServiceKey.of(Protocol.TCP, parse_address("fd00::100"), 25), "sh", netmask=128)
ONE, TWO, THREE = (RealServer(parse_address(f"10.0.0.{number}"), 80) for number in (11, 12, 13))

KEYS = [WEB.key, ServiceKey.of(Protocol.UDP, parse_address("10.0.0.100"), 53), ServiceKey.mark(5)]
SERVERS = st.builds(
    RealServer,
    st.sampled_from([one.address for one in (ONE, TWO, THREE)]),
    st.just(80),
    st.sampled_from([ForwardingMethod.DIRECT, ForwardingMethod.TUNNEL]),
    weight=st.integers(0, 2),
    upper_threshold=st.integers(0, 1),
)
CONTENTS = st.lists(
    st.builds(
        WantedService,
        st.builds(
            VirtualService, st.sampled_from(KEYS), st.sampled_from(["rr", "wlc"]), persistence=st.sampled_from([0, 60])
        ),
        st.lists(SERVERS, max_size=3, unique_by=lambda server: server.key).map(tuple),
    ),
    max_size=3,
    unique_by=lambda wanted: wanted.service.key,
)


def table_with(*content: WantedService) -> MemoryTable:
    table = MemoryTable()
    carry_out(table, make_plan((), content))
    return table


def content_of(table: MemoryTable) -> dict[ServiceKey, tuple[VirtualService, set[RealServer]]]:
    return {state.service.key: (state.service, {one.server for one in state.servers}) for state in table.services()}


@given(CONTENTS, CONTENTS)
def test_whatever_was_there_afterwards_it_is_as_wanted_and_nothing_is_left_to_do(
    before: list[WantedService], wanted: list[WantedService]
) -> None:
    table = table_with(*before)
    carry_out(table, make_plan(table.services(), wanted))
    assert content_of(table) == {want.service.key: (want.service, set(want.servers)) for want in wanted}
    assert make_plan(table.services(), wanted) == ()


def test_what_is_the_same_is_not_touched_whatever_its_order() -> None:
    table = table_with(WantedService(WEB, (ONE, TWO)), WantedService(MAIL))
    assert make_plan(table.services(), [WantedService(MAIL), WantedService(WEB, (TWO, ONE))]) == ()


def test_servers_come_before_others_go() -> None:
    table = table_with(WantedService(WEB, (ONE, TWO)))
    heavier = replace(TWO, weight=7)
    assert make_plan(table.services(), [WantedService(WEB, (THREE, heavier))]) == (
        ServerChange(WEB.key, None, THREE),
        ServerChange(WEB.key, TWO, heavier),
        ServerChange(WEB.key, ONE, None),
    )


def test_new_servers_are_added_in_the_order_wanted() -> None:
    table = table_with(WantedService(WEB, (ONE, TWO, THREE)))
    assert [one.server for one in table.services()[0].servers] == [THREE, TWO, ONE]


def test_services_of_others_stay() -> None:
    table = table_with(WantedService(WEB, (ONE,)), WantedService(MAIL))
    plan = make_plan(table.services(), [], ours=lambda key: key == WEB.key)
    assert plan == (ServiceChange(WEB, None),)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([WantedService(WEB), WantedService(WEB)], "the service TCP 10.0.0.100:80 is wanted twice"),
        ([WantedService(WEB, (ONE, ONE))], "TCP 10.0.0.100:80: the real server 10.0.0.11:80 is wanted twice"),
    ],
)
def test_what_is_wanted_twice_is_refused(wanted: list[WantedService], words: str) -> None:
    with pytest.raises(WantedTwice, match=words):
        make_plan((), wanted)


def test_a_plan_the_table_refuses_leaves_what_was_done_before_in_force() -> None:
    table = MemoryTable()
    wrong = replace(ONE, address=parse_address("224.0.0.1"))
    with pytest.raises(TableError):
        carry_out(table, make_plan((), [WantedService(WEB, (ONE, wrong))]))
    assert content_of(table) == {WEB.key: (WEB, {ONE})}


def test_people_read_what_comes_goes_and_is_edited() -> None:
    tunnelled = replace(
        THREE, method=ForwardingMethod.TUNNEL, tunnel=Tunnel(TunnelType.GUE, 5555), upper_threshold=9, lower_threshold=3
    )
    table = table_with(WantedService(WEB, (ONE, TWO)), WantedService(MAIL))
    busy = replace(WEB, scheduler="mh", scheduler_flags=SchedulerFlags.FLAG_1, persistence=60, netmask=0xFFFFFF00)
    plan = make_plan(table.services(), [WantedService(busy, (replace(ONE, weight=5), tunnelled))])
    assert as_text(plan) == (
        "~ TCP 10.0.0.100:80 wrr -> mh, no flags -> flags mh-fallback, no persistence -> persistent 60, "
        "no mask -> mask 255.255.255.0\n"
        "~   10.0.0.11:80 weight 1 -> weight 5\n"
        "+   10.0.0.13:80 tunnel weight 1 type gue port 5555 checksum nocsum upper threshold 9 lower threshold 3\n"
        "-   10.0.0.12:80 direct weight 1\n"
        "- TCP [fd00::100]:25 sh\n"
    )


def test_a_service_that_stays_heads_the_changes_of_its_servers() -> None:
    table = table_with(WantedService(WEB, (ONE,)))
    plan = make_plan(table.services(), [WantedService(WEB, (ONE, TWO))])
    assert as_text(plan) == "  TCP 10.0.0.100:80\n+   10.0.0.12:80 direct weight 1\n"


def test_programs_read_the_values_before_and_after() -> None:
    plan = [ServiceChange(None, WEB), ServerChange(WEB.key, ONE, replace(ONE, weight=5))]
    service, server = json.loads(json.dumps(as_objects(plan)))
    assert (service["change"], service["object"], service["before"]) == ("add", "service", None)
    assert service["after"]["scheduler"] == "wrr"
    assert (server["change"], server["object"], server["service"]["port"]) == ("edit", "server", 80)
    assert (server["before"]["weight"], server["after"]["weight"]) == (1, 5)


def test_a_server_that_a_running_director_drains_first_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "directory", lambda: tmp_path)
    table = MemoryTable()
    carry_out(table, planning.plan(setup(PLAIN), table))
    rest = service("10.0.0.2 80 { weight 2\n }", more="drain {\n}")
    went = f"  {KEY}\n-   10.0.0.1:80 direct weight 1"
    assert as_text(planning.plan(setup(rest), table)) == f"{went}\n"
    changes = planning.plan(setup(rest), table, drains=True)
    assert as_text(changes) == f"{went}, after it was drained\n"
    assert as_objects(changes)[0]["drained"] is True
    # One that is on its way out already, by a drain of its own.
    leaving = {(NAME, "10.0.0.1:80"): setup(PLAIN).virtuals[NAME].real_servers[A, 80]}
    Memory(tmp_path / "memory.json").keep(Remembered(leaving=leaving))
    [change] = planning.plan(setup(rest.replace("drain {\n}", "")), table, drains=True)
    assert isinstance(change, ServerChange)
    assert change.drained
