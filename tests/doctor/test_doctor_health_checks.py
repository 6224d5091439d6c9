"""What the doctor makes of what a director tells of itself and its health checks: answers that are made up."""

from __future__ import annotations

from typing import Any

import pytest
from test_doctor_checks import MadeUp, told

from directrix.doctor.case import Case, Unanswered
from directrix.doctor.checks import director, health_checks
from directrix.doctor.finding import Finding, Role

WEB = "TCP 10.0.0.100:80"


def result(ok: bool, up: bool, at: float = 0.0, made: bool = True) -> dict[str, Any]:
    detail = "connected" if ok else "Connection refused"
    return {"at": at, "took": 0.001, "ok": ok, "made": made, "up": up, "detail": detail}


def answers(history: list[dict[str, Any]], quorum_up: bool = True) -> Any:
    """A director with one virtual server, one real server and one check."""
    last = history[-1]
    recent = [each["ok"] if each["made"] else None for each in history[-8:]]
    check = {"name": "TCP_CHECK", "up": last["up"], "has_run": True, "last": last, "recent": recent}
    services = [{"name": WEB, "quorum_up": quorum_up, "servers": [{"server": "10.0.0.11:80", "checks": [check]}]}]
    failures = sum(not each["ok"] for each in history)
    checks = [
        {"service": WEB, "server": "10.0.0.11:80", "name": "TCP_CHECK", "attempts": len(history), "failures": failures}
    ]
    checks[0]["history"] = history  # type: ignore[assignment]
    paths = {"/v1/services": services, "/v1/checks?service=TCP%2010.0.0.100%3A80": checks}
    return paths.__getitem__


def look(ask: Any) -> list[Finding]:
    return list(health_checks.look(Case(MadeUp(), Role.DIRECTOR, (), ask=ask)))


GOOD, BAD = result(True, True), result(False, False)


def test_without_a_director_nothing_is_checked() -> None:
    assert told(look(lambda path: None)) == ["skip"]


def test_of_a_calm_service_no_more_is_asked() -> None:
    ask = answers([GOOD] * 32)
    (found,) = look({"/v1/services": ask("/v1/services")}.__getitem__)
    assert (told([found]), found.said) == (["ok"], "all 1 checks pass")


def test_what_failed_lately_and_is_well_is_no_complaint() -> None:
    (found,) = look(answers([GOOD, BAD, GOOD]))
    assert (told([found]), found.said) == (["ok"], "all 1 checks pass; 1 failed before")


def test_a_check_that_fails_is_told_with_when_that_began() -> None:
    (found,) = look(answers([GOOD, result(False, False, at=86_400.0 * 365), BAD]))
    assert told([found]) == ["warn"]
    assert found.said.startswith("it fails since 197")
    assert found.said.endswith("so nobody new is sent there: Connection refused")
    assert "it fails since before " in look(answers([BAD, BAD]))[0].said


def test_a_service_without_its_quorum_is_a_failure() -> None:
    assert told(look(answers([GOOD, BAD], quorum_up=False))) == ["warn", "fail"]


def test_a_server_that_comes_and_goes_is_told_though_it_is_up() -> None:
    (found,) = look(answers([GOOD, BAD, GOOD, BAD, result(True, True, at=60.0)]))
    assert told([found]) == ["warn"]
    assert found.said == "it went 4 times between up and down in the last 60 s, and is up now: Connection refused"


def test_a_check_that_can_not_be_made_says_nothing_of_the_server() -> None:
    (found,) = look(answers([GOOD, result(False, True, made=False)]))
    assert told([found]) == ["warn"]
    assert "it could not be made" in found.said


def test_a_server_that_nobody_checks_is_mentioned() -> None:
    services = [{"name": WEB, "quorum_up": True, "servers": [{"server": "10.0.0.11:80", "checks": []}]}]
    (found,) = look({"/v1/services": services}.__getitem__)
    assert (told([found]), found.said) == (["ok"], "none of its real servers is checked: nobody notices if one dies")


STATUS = {
    "pid": 4711,
    "configuration": "/etc/k.conf",
    "config_id": None,
    "ready": True,
    "reload_refused": None,
    "astray": [],
}


def at_work(killed: int | None = None, **more: Any) -> list[Finding]:
    told = {**STATUS, **more}
    return list(director.look(Case(MadeUp(), Role.DIRECTOR, (), ask=lambda path: told, killed=killed)))


class TestDirector:
    def test_one_that_does_what_it_shall(self) -> None:
        (found,) = at_work()
        assert (told([found]), found.said) == (["ok"], "process 4711, by /etc/k.conf")

    @pytest.mark.parametrize(
        ("more", "outcome", "said"),
        [
            ({"reload_refused": "2 mistakes"}, "warn", "the configuration before is in force: 2 mistakes"),
            ({"ready": False}, "warn", "it is not ready yet"),
            ({"astray": [WEB]}, "fail", "the table refuses to have it as it shall be"),
        ],
    )
    def test_one_that_does_not(self, more: dict[str, Any], outcome: str, said: str) -> None:
        (found,) = at_work(**more)
        assert told([found]) == [outcome]
        assert said in found.said

    def test_the_advice_for_a_refused_file_reads_it_as_the_director_does(self) -> None:
        (found,) = at_work(reload_refused="x", configuration="/etc/a b.conf", config_id="d1")
        assert [remedy.command for remedy in found.remedies] == ["directrix run --check -f '/etc/a b.conf' -i d1"]

    def test_one_that_was_killed_and_one_that_is_stuck_and_none(self) -> None:
        def silent(path: str) -> Any:
            raise Unanswered("timed out")

        looked = [
            list(director.look(Case(MadeUp(), Role.DIRECTOR, (), ask=ask, killed=killed)))
            for ask, killed in ((lambda path: None, 4711), (silent, None), (lambda path: None, None))
        ]
        assert [told(each) for each in looked] == [["fail"], ["fail"], ["skip"]]
        assert "as process 4711, and was killed or crashed" in looked[0][0].said
        assert "it may be stuck: timed out" in looked[1][0].said

    def test_a_stuck_one_leaves_other_checks_what_they_can_tell_without_it(self) -> None:
        def silent(path: str) -> Any:
            raise Unanswered("timed out")

        assert Case(MadeUp(), Role.DIRECTOR, (), ask=silent).vrrp.routers == ()
