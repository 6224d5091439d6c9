"""What happens, as it comes into the event log: what is news, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from director_making import NAME, PLAIN, A, setup

from directrix.checks.actions import TellQuorum, TellServer
from directrix.checks.engine import Report
from directrix.checks.history import Result
from directrix.checks.outcome import Outcome
from directrix.director.events import EventLog
from directrix.director.reporting import Reporter
from directrix.director.told import Checked, Told
from directrix.vrrp.effects import PriorityChanged, StateChanged
from directrix.vrrp.states import State


def reported(story: Callable[[Reporter], None], configuration: str = PLAIN) -> list[dict[str, Any]]:
    """What the log has of a story, without times."""

    async def played() -> list[dict[str, Any]]:
        made = setup(configuration)
        log = EventLog()
        reporter = Reporter(made, log)
        reporter.configure(made)
        story(reporter)
        await reporter.close()
        return [{name: value for name, value in one.as_object().items() if name != "at"} for one in log]

    return asyncio.run(played())


def result(up: bool, *, changed: bool = True, first: bool = False) -> Checked:
    found = Result(0.0, 0.1, Outcome(up, "said so"), up)
    return Checked((NAME, (A, 80), "TCP_CHECK"), Report("x", found, up, changed, first), turned=False)


def test_a_check_s_change_is_news_and_a_first_success_is_not() -> None:
    def story(reporter: Reporter) -> None:
        reporter.checked(result(True, first=True))
        reporter.checked(result(False))
        reporter.checked(result(False, changed=False))
        reporter.checked(result(True))

    who = {"kind": "check", "service": NAME, "server": "10.0.0.1:80", "check": "TCP_CHECK", "detail": "said so"}
    assert reported(story) == [{**who, "what": "down"}, {**who, "what": "up"}]


def test_servers_and_quorums_are_told_of_with_their_cause() -> None:
    virtual = setup(PLAIN).virtuals[NAME]

    def story(reporter: Reporter) -> None:
        reporter.told(Told(virtual, TellServer((A, 80), False), "TCP_CHECK: refused"))
        reporter.told(Told(virtual, TellQuorum(False, 0, 1)))

    assert reported(story) == [
        {"kind": "server", "what": "down", "service": NAME, "server": "10.0.0.1:80", "cause": "TCP_CHECK: refused"},
        {"kind": "quorum", "what": "down", "service": NAME, "weight": 0, "threshold": 1},
    ]


def test_the_operator_s_orders_are_told_of() -> None:
    def story(reporter: Reporter) -> None:
        reporter.ordered("draining", (NAME, (A, 80)), {"seconds": None, "then": "keep"})

    assert reported(story)[0]["what"] == "draining"


def test_vrrp_s_states_and_priorities_are_told_of() -> None:
    text = "vrrp_instance VI { interface lo\nvirtual_router_id 7\npriority 90\nvirtual_ipaddress { 192.0.2.1 } }\n"
    (instance,) = setup(text).routers.instances

    def story(reporter: Reporter) -> None:
        reporter.effect(StateChanged(instance, State.MASTER, 90))
        reporter.effect(PriorityChanged(instance, State.MASTER, 80))
        reporter.effect(StateChanged(instance, State.INITIALIZE, 80))

    assert [(one["what"], one["priority"]) for one in reported(story, text)] == [
        ("MASTER", 90),
        ("priority", 80),
        ("stopped", 80),
    ]
