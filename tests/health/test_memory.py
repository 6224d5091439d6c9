"""What is remembered of absences survives from one command to the next."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from directrix.health import memory
from directrix.health.rule import Absence, By
from directrix.lvs import Family, Protocol, ServiceKey

HTTP = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
HTTP6 = ServiceKey.of(Protocol.SCTP, ip_address("fd00::1"), 80)
MARKED = ServiceKey.mark(7, Family.INET6)
FULL: memory.Remembered = {
    HTTP: {(ip_address("10.0.0.2"), 80): Absence(3, 12.5, 2, by=By.OPERATOR)},
    HTTP6: {(ip_address("fd00::2"), 81): Absence(1, 1.0, trial=True)},
    MARKED: {(ip_address("fd00::2"), 0): Absence(65535, 0.0)},
}


def test_everything_is_read_as_it_was_written(tmp_path: Path) -> None:
    with memory.changing(tmp_path / "new") as remembered:
        remembered.update(FULL)
    assert memory.read(tmp_path / "new") == FULL


def test_with_nothing_to_remember_there_is_no_file(tmp_path: Path) -> None:
    memory.write(tmp_path, FULL)
    memory.write(tmp_path, {HTTP: {}})
    assert list(tmp_path.iterdir()) == []


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    memory.write(tmp_path, FULL)

    def fail() -> None:
        with memory.changing(tmp_path) as remembered:
            remembered.clear()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert memory.read(tmp_path) == FULL


@pytest.mark.parametrize("text", ["", "{}x", '[{"service": {}}]', '[{"service": {"family": "inet", "fwmark": 1}}]'])
def test_a_file_that_is_not_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "absences.json").write_text(text)
    assert memory.read(tmp_path) == {}
