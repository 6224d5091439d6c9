"""Real TCP and UDP through a cluster goes where IPVS sends it, and the listings show what IPVS's show."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import Future, wait
from difflib import unified_diff
from pathlib import Path

import machine
import pytest
from _pytest.mark import ParameterSet
from host_half import AUTO, DELIBERATE, HERE, SCENARIOS, TRANSCRIPTS, play, play_all
from waiting import LONG, waits

NAMES = sorted(path.name for path in SCENARIOS.glob("*.txt"))


def case(name: str, hook: str) -> ParameterSet:
    """A scenario to compare; one that can't be the same must not be, so that it is noticed when it is."""
    marks = [pytest.mark.slow] if hook or waits(SCENARIOS / name) >= LONG else []
    if "debian" in name and not Path("/etc/init.d/ipvsadm").exists():
        marks.append(pytest.mark.skip(reason="needs Debian's ipvsadm"))
    if reason := DELIBERATE.get(name):
        marks.append(pytest.mark.xfail(reason=reason, strict=True))
    return pytest.param(name, hook, marks=marks, id=f"{name}-{hook}" if hook else name)


@pytest.fixture(scope="module")
def playing(request: pytest.FixtureRequest) -> dict[tuple[str, str], Future[str]]:
    """The scenarios chosen for this run, all being played from the first test on."""
    ours = [item for item in request.session.items if item.parent is request.node and hasattr(item, "callspec")]
    return play_all((item.callspec.params["name"], item.callspec.params["hook"]) for item in ours)


@pytest.mark.root
@pytest.mark.parametrize(("name", "hook"), [case(name, hook) for hook in (AUTO, "xdp-generic") for name in NAMES])
def test_traffic_and_listings_are_those_of_ipvs(
    name: str, hook: str, playing: dict[tuple[str, str], Future[str]]
) -> None:
    ours = playing[name, hook].result()
    if ours != (TRANSCRIPTS / name).read_text() and name not in DELIBERATE:
        # With eight at a time a busy machine can be late by the second that a listing shows.
        wait(playing.values())
        ours = play(name, hook)
    assert_as_recorded(name, ours)


def assert_as_recorded(name: str, ours: str) -> None:
    theirs = (TRANSCRIPTS / name).read_text()
    difference = unified_diff(theirs.split("\n"), ours.split("\n"), "IPVS", "directrix", n=8, lineterm="")
    assert not (text := "\n".join(difference)), text


def test_every_transcript_of_traffic_has_its_scenario() -> None:
    assert sorted(path.name for path in TRANSCRIPTS.iterdir()) == NAMES


@pytest.mark.uml
def test_traffic_through_ipvs_still_goes_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    recorded = machine.record(SCENARIOS, HERE / "traffic_guest.py")
    assert recorded == {name: (TRANSCRIPTS / name).read_text() for name in NAMES}


@pytest.mark.uml
def test_scripts_find_the_same_by_our_names_over_ipvs(tmp_path: Path) -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    chosen = [name for name in NAMES if name.startswith("script_")]
    (tmp_path / "scripts").symlink_to(SCENARIOS.parent / "scripts")
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name in chosen:
        shutil.copy(SCENARIOS / name, scenarios)
    # Few at a time: Python starts slowly there, and connections that were closed are listed for two minutes.
    ways = {"CONFORMANCE_PYTHON": sys.executable, "DIRECTRIX_TABLE": "ipvs", "CONFORMANCE_AT_ONCE": 2}
    played = machine.record(scenarios, HERE / "traffic_guest.py", **ways)
    for name in chosen:
        assert_as_recorded(name, played[name])
