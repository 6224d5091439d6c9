"""Breaking labs and healing them, by the command. What each break does is proven with the doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from laboratory import inside, lab

from directrix.lab import state
from directrix.lab.breaking import Break, Scene, break_lab, broken
from directrix.lab.breaks import BREAKS
from directrix.lab.errors import LabError

pytestmark = pytest.mark.root


@pytest.fixture
def built(name: str, plain: Path) -> str:
    """A lab without a table, by its name."""
    assert lab("up", str(plain), "--name", name).returncode == 0
    return name


def shown_as_broken(name: str) -> object:
    (known,) = [each for each in json.loads(lab("status", "--json").stdout) if each["name"] == name]
    return known["broken"]


def test_without_a_name_it_lists_what_can_be_broken_and_how_it_looks() -> None:
    done = lab("break")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(BREAKS)
    assert all(each.help in done.stdout and each.seen in done.stdout for each in BREAKS.values())


def test_what_is_broken_is_shown_until_it_is_healed(built: str) -> None:
    assert lab("break", "no-vip", "--lab", built).returncode == 0
    assert "BROKEN: no-vip on rs" in lab("status").stdout
    assert shown_as_broken(built) == ["no-vip on rs"]
    assert "10.0.0.100" not in inside(built, "rs", "ip", "address", "show", "lo")
    assert lab("heal", "--lab", built).returncode == 0
    assert shown_as_broken(built) == []
    assert "10.0.0.100/32 scope host" in inside(built, "rs", "ip", "address", "show", "lo")


def test_of_several_breaks_one_can_be_healed(built: str) -> None:
    for each in ("arp-leak", "mtu"):
        lab("break", each, "--lab", built)
    assert lab("heal", "mtu", "--lab", built).returncode == 0
    assert [each.name for each in broken(built)] == ["arp-leak"]
    assert "mtu 1500" in inside(built, "director", "ip", "link", "show", "eth0")
    assert inside(built, "rs", "cat", "/proc/sys/net/ipv4/conf/all/arp_ignore").strip() == "0"


def test_a_break_can_be_done_to_another_host(built: str) -> None:
    assert lab("break", "mtu", "--lab", built, "--host", "rs").returncode == 0
    assert "mtu 1400" in inside(built, "rs", "ip", "link", "show", "eth0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["break", "arp-leek"], "did you mean 'arp-leak'?"),
        (["break", "mtu", "--host", "rs9"], "has no host 'rs9'"),
        (["break", "wrong-bind", "--host", "director"], "director has no nginx"),
        (["heal", "mtu"], "'mtu' is not in force"),
        (["heal", "arp-leek"], "nothing is called 'arp-leek' that could be broken (did you mean 'arp-leak'?)"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(built: str, words: list[str], said: str) -> None:
    done = lab(*words, "--lab", built)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert broken(built) == ()


def test_the_same_break_twice_is_refused_and_stays_in_force(built: str) -> None:
    lab("break", "mtu", "--lab", built)
    done = lab("break", "mtu", "--lab", built)
    assert done.returncode == 1
    assert "is in force on director already" in done.stderr
    assert [each.name for each in broken(built)] == ["mtu"]


def test_one_that_fails_halfway_is_undone(built: str) -> None:
    def half(scene: Scene) -> None:
        scene.do("ip link set eth0 mtu 1300", "ip link set eth0 mtu 1500")
        scene.do("ip link set eth9 mtu 1300", "true")

    known = state.read(built)
    assert known is not None
    with pytest.raises(LabError, match="eth9"):
        break_lab(known, Break("half", "", "", "director", half))
    assert broken(built) == ()
    assert "mtu 1500" in inside(built, "director", "ip", "link", "show", "eth0")
