"""The table of states, held against the RFCs' text.

Each row says what RFC 5798 section 6.4 (and RFC 3768 section 6.4, which has the same machine) demands of a router: the
state it is in, what happens, the state it goes to, and the actions the RFC lists. What goes beyond the RFC is below.
"""

from __future__ import annotations

import pytest

from directrix.vrrp.states import TRANSITIONS, Action, Event, State, Transition

S, E, A = State, Event, Action

RFC: list[tuple[str, State, Event, State, set[Action]]] = [
    ("6.4.1 startup, priority 255", S.INITIALIZE, E.OWNER_STARTUP, S.MASTER,
     {A.SEND_ADVERTISEMENT, A.ANNOUNCE, A.ARM_ADVERTISE}),
    ("6.4.1 startup, else", S.INITIALIZE, E.STARTUP, S.BACKUP, {A.RESET_INTERVAL, A.ARM_MASTER_DOWN}),
    ("6.4.2 shutdown", S.BACKUP, E.SHUTDOWN, S.INITIALIZE, {A.DISARM}),
    ("6.4.2 Master_Down_Timer fires", S.BACKUP, E.MASTER_DOWN_EXPIRED, S.MASTER,
     {A.SEND_ADVERTISEMENT, A.ANNOUNCE, A.ARM_ADVERTISE}),
    ("6.4.2 advert of priority 0", S.BACKUP, E.RESIGNED, S.BACKUP, {A.ARM_SKEW}),
    ("6.4.2 advert not below ours, or Preempt_Mode false", S.BACKUP, E.STRONGER, S.BACKUP,
     {A.LEARN_INTERVAL, A.ARM_MASTER_DOWN}),
    ("6.4.2 advert below ours: discard", S.BACKUP, E.WEAKER, S.BACKUP, set()),
    ("6.4.3 Adver_Timer fires", S.MASTER, E.ADVERTISE_EXPIRED, S.MASTER,
     {A.SEND_ADVERTISEMENT, A.ARM_ADVERTISE}),
    ("6.4.3 advert of priority 0", S.MASTER, E.RESIGNED, S.MASTER,
     {A.SEND_ADVERTISEMENT, A.ARM_ADVERTISE}),
    ("6.4.3 advert of more, or of as much and a greater address", S.MASTER, E.STRONGER, S.BACKUP,
     {A.DISARM, A.LEARN_INTERVAL, A.ARM_MASTER_DOWN}),
]  # fmt: skip

OURS = {A.TAKE_ADDRESSES, A.RELEASE_ADDRESSES}
"""Holding the addresses is what being master means; the RFC has no step for it."""


@pytest.mark.parametrize(("section", "before", "event", "after", "actions"), RFC, ids=[row[0] for row in RFC])
def test_the_table_does_what_the_rfc_demands(
    section: str, before: State, event: Event, after: State, actions: set[Action]
) -> None:
    transition = TRANSITIONS[before][event]
    assert transition.state is after
    assert set(transition.actions) - OURS - ({A.DISARM} if A.ARM_ADVERTISE in actions else set()) == actions


def test_addresses_are_held_exactly_by_masters_and_those_that_leave() -> None:
    holding = {S.MASTER, S.LEAVING}
    for before, row in TRANSITIONS.items():
        for event, transition in row.items():
            took, gave = (action in transition.actions for action in (A.TAKE_ADDRESSES, A.RELEASE_ADDRESSES))
            assert took == (transition.state in holding and before not in holding), (before, event)
            assert gave == (before in holding and transition.state not in holding), (before, event)


def test_a_master_that_goes_by_itself_resigns_and_one_that_gives_way_does_not() -> None:
    resigning = {
        (before, event)
        for before, row in TRANSITIONS.items()
        for event, transition in row.items()
        if A.SEND_RESIGNATION in transition.actions
    }
    assert resigning == {(S.MASTER, E.SHUTDOWN), (S.MASTER, E.FAULT)}


def test_an_advert_goes_out_before_addresses_are_taken() -> None:
    for row in TRANSITIONS.values():
        for transition in row.values():
            if A.TAKE_ADDRESSES in transition.actions:
                order = [A.SEND_ADVERTISEMENT, A.TAKE_ADDRESSES, A.ANNOUNCE, A.ARM_ADVERTISE]
                assert [action for action in transition.actions if action is not A.DISARM] == order


def test_a_resignation_goes_out_before_addresses_are_given_up() -> None:
    assert TRANSITIONS[S.MASTER][E.FAULT].actions == (A.DISARM, A.SEND_RESIGNATION, A.RELEASE_ADDRESSES)


def test_a_state_that_is_left_leaves_no_timer_behind() -> None:
    for before in (S.BACKUP, S.MASTER, S.LEAVING):
        for event, transition in TRANSITIONS[before].items():
            if transition.state is not before:
                assert transition.actions[0] is A.DISARM, (before, event)


def test_every_state_but_fault_and_initialize_has_a_timer_running() -> None:
    arming = {A.ARM_ADVERTISE, A.ARM_MASTER_DOWN, A.ARM_RELEASE, A.ARM_SKEW}
    for before, row in TRANSITIONS.items():
        for event, transition in row.items():
            if transition.state is not before:
                running = bool(arming & set(transition.actions))
                assert running == (transition.state not in (S.FAULT, S.INITIALIZE)), (before, event)


def test_fault_is_left_only_when_all_is_well_or_at_the_end() -> None:
    assert set(TRANSITIONS[S.FAULT]) == {E.STARTUP, E.OWNER_STARTUP, E.SHUTDOWN}
    for state in State:
        if state not in (S.FAULT, S.LEAVING):
            assert TRANSITIONS[state][E.FAULT].state is S.FAULT


def test_one_that_leaves_gives_the_addresses_up_once_it_hears_any_master_or_nobody_for_long() -> None:
    for event in (E.STRONGER, E.WEAKER, E.RELEASE_EXPIRED, E.FAULT):
        assert TRANSITIONS[S.LEAVING][event] == Transition(S.INITIALIZE, (A.DISARM, A.RELEASE_ADDRESSES))
    assert E.RESIGNED not in TRANSITIONS[S.LEAVING], "another that leaves takes nothing over"
