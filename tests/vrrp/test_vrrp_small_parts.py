"""What is told to whom, nftables scripts, and what outlives the daemon."""

from __future__ import annotations

import os
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from vrrp_making import VIP, instance

from directrix.vrrp import notifications
from directrix.vrrp.acceptance import rules
from directrix.vrrp.configuration import Group
from directrix.vrrp.effects import Effect, GroupChanged, PriorityChanged, StateChanged, TakeAddresses, WeakerHeard
from directrix.vrrp.memory import Memory
from directrix.vrrp.notifications import Pipe, commands, line, user_of
from directrix.vrrp.states import State
from directrix.vrrp.values import Command, Fifo, Notify

MAC = bytes.fromhex("020000000001")


def command(word: str) -> Command:
    return Command((word,))


FULL = Notify(
    master=command("m"), backup=command("b"), fault=command("f"), stop=command("s"), deleted=command("d"),
    any=Command(("any", "given"), "nobody"), master_rx_lower_pri=command("lower"),
)  # fmt: skip
TOLD = instance(notify=FULL)
GROUP = Group("G", ("VI",), notify=FULL)


@pytest.mark.parametrize(
    ("effect", "run", "told"),
    [
        (StateChanged(TOLD, State.MASTER, 150), ["m", "any given INSTANCE VI MASTER 150"], 'INSTANCE "VI" MASTER 150'),
        (StateChanged(TOLD, State.BACKUP, 150), ["b", "any given INSTANCE VI BACKUP 150"], 'INSTANCE "VI" BACKUP 150'),
        (StateChanged(TOLD, State.FAULT, 90), ["f", "any given INSTANCE VI FAULT 90"], 'INSTANCE "VI" FAULT 90'),
        (StateChanged(TOLD, State.INITIALIZE, 90), ["s", "any given INSTANCE VI STOP 90"], 'INSTANCE "VI" STOP 90'),
        (
            StateChanged(TOLD, State.INITIALIZE, 90, deleted=True),
            ["f", "any given INSTANCE VI FAULT 90"],
            'INSTANCE "VI" FAULT 90',
        ),
        (GroupChanged(GROUP, State.MASTER), ["m", "any given GROUP G MASTER 0"], 'GROUP "G" MASTER 0'),
        (WeakerHeard(TOLD, 150), ["lower"], 'INSTANCE "VI" MASTER_RX_LOWER_PRI 150'),
        (PriorityChanged(TOLD, State.BACKUP, 90), [], 'INSTANCE "VI" BACKUP_PRIORITY 90'),
        (TakeAddresses(TOLD), [], None),
    ],
)
def test_scripts_and_pipes_are_told_as_by_keepalived(effect: Effect, run: list[str], told: str | None) -> None:
    assert [" ".join(each.words) for each in commands(effect)] == run
    assert line(effect) == (None if told is None else f"{told}\n")


def test_a_deleted_instance_is_told_as_such_if_asked() -> None:
    asked = instance(notify=Notify(deleted=command("d"), deleted_state=True))
    effect = StateChanged(asked, State.INITIALIZE, 100, deleted=True)
    assert [each.words for each in commands(effect)] == [("d",)]
    assert line(effect) == 'INSTANCE "VI" DELETED 100\n'


def test_the_user_of_all_scripts_is_also_that_of_the_one_of_all_changes() -> None:
    assert commands(StateChanged(TOLD, State.MASTER, 150))[1].user == "nobody"


def test_users_and_groups_go_by_name_or_number() -> None:
    assert user_of(command("x")) is None
    root = user_of(Command(("x",), "root", "0"))
    assert root is not None
    assert (root.uid, root.gid) == (0, 0)
    by_number = user_of(Command(("x",), "0"))
    assert by_number is not None
    for user, group in (("no such user", ""), ("root", "no such group"), ("4294967290", "")):
        with pytest.raises(LookupError, match=r"no (user|group)"):
            user_of(Command(("x",), user, group))


def test_a_pipe_nobody_reads_loses_lines_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    pipe = Pipe(Fifo(str(path)))
    begin = time.monotonic()
    for _ in range(5000):
        pipe.write("INSTANCE " + "x" * 91 + "\n")
    assert time.monotonic() - begin < 5
    assert pipe.lost > 0
    pipe.close()
    assert not path.exists()


def test_a_pipe_that_was_there_stays_and_another_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    Pipe(Fifo(str(path))).close()
    assert path.exists()
    other = tmp_path / "file"
    other.write_text("mine")
    with pytest.raises(FileExistsError, match="no named pipe"):
        Pipe(Fifo(str(other)))
    assert other.read_text() == "mine"


def test_nothing_is_dropped_when_no_address_is_refused_and_neighbour_discovery_never() -> None:
    assert rules([]) == "add table inet directrix_vrrp\ndelete table inet directrix_vrrp\n"
    script = rules([ip_address("10.0.0.1"), ip_address("fd00::1"), ip_address("10.0.0.2")])
    assert "ip daddr { 10.0.0.1, 10.0.0.2 } drop" in script
    assert script.index("nd-neighbor-solicit") < script.index("ip6 daddr { fd00::1 } drop")


def test_an_earlier_life_was_master_if_its_last_advert_is_younger_than_three_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("directrix.vrrp.memory._now", lambda: clock[0])
    ours, other = instance(version=3, interval=100), instance("other", 2)
    earlier = Memory(tmp_path / "made")
    earlier.note(ours)
    earlier.close()
    later = Memory(tmp_path / "made")
    for clock[0], was in ((1000.0, True), (1002.9, True), (1003.0, False), (999.0, False)):
        assert later.was_master(ours) == was
    assert not later.was_master(other)
    clock[0] = 2000.0
    later.note(ours)
    assert later.was_master(ours)
    later.forget(ours)
    assert not later.was_master(ours)
    assert not list((tmp_path / "made").iterdir())


def test_a_directory_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    (tmp_path / "memory").rmdir()
    memory.note(instance())
    memory.forget(instance())
    assert not memory.was_master(instance())


def test_a_virtual_router_has_the_mac_address_and_device_of_its_id() -> None:
    assert instance(vrid=0x33).mac == bytes.fromhex("00005e000133")
    assert VIP.address in instance().advertised
    assert notifications.LONGEST > 60
