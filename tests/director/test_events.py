"""The event log: JSON lines in a file, the last of them at hand, and a disk that is full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directrix.director import events
from directrix.director.events import EventLog
from directrix.director.happenings import Happening


def happening(number: int) -> Happening:
    return Happening(1.5 + number, "server", "down", {"server": "10.0.0.1:80"}, {"number": number})


def test_each_happening_is_a_line_of_json_and_a_moved_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "events"
    log = EventLog(path)
    log.add(happening(0))
    path.rename(tmp_path / "events.1")
    log.add(happening(1))
    log.reopen()
    log.add(happening(2))
    log.close()
    log.add(happening(3))
    before, after = ((tmp_path / name).read_text().splitlines() for name in ("events.1", "events"))
    assert json.loads(before[0]) == {"at": 1.5, "kind": "server", "what": "down", "server": "10.0.0.1:80", "number": 0}
    assert [json.loads(line)["number"] for line in before + after] == [0, 1, 2]


def test_the_last_ones_are_at_hand_without_a_file() -> None:
    log = EventLog()
    for number in range(events.LENGTH + 5):
        log.add(happening(number))
    numbers = [one.more["number"] for one in log]
    assert numbers == list(range(5, events.LENGTH + 5))


def test_a_full_disk_is_said_once_and_nothing_is_lost_at_hand(caplog: pytest.LogCaptureFixture) -> None:
    log = EventLog(Path("/dev/full"))
    for number in range(3):
        log.add(happening(number))
    assert len(list(log)) == 3
    assert caplog.text.count("events can't be written: No space left on device") == 1


def test_a_line_that_was_written_in_part_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(tmp_path / "events")
    real = events.os.write
    with monkeypatch.context() as patched:
        patched.setattr(events.os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        log.add(happening(0))
    log.add(happening(1))
    _, whole = (tmp_path / "events").read_text().splitlines()
    assert json.loads(whole)["number"] == 1
