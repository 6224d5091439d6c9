"""sd_notify(3), held against a socket of our own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from directrix.system.service_manager import ServiceManager


@pytest.mark.parametrize("abstract", [False, True])
def test_what_is_told_arrives_and_the_variables_are_gone(tmp_path: Path, abstract: bool) -> None:
    name = f"@directrix-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name[1:] if abstract else name)
        listening.settimeout(10)
        environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
        manager = ServiceManager(environment)
        assert environment == {}
        assert manager.watchdog == 3.0
        manager.ready("all is well")
        assert listening.recv(999) == b"READY=1\nSTATUS=all is well"
        manager.reloading()
        first, second = listening.recv(999).decode().split("\n")
        assert first == "RELOADING=1"
        assert second.removeprefix("MONOTONIC_USEC=").isdigit()
        manager.stopping()
        assert listening.recv(999).startswith(b"STOPPING=1\n")
        manager.alive()
        assert listening.recv(999) == b"WATCHDOG=1"
        manager.close()


def test_without_a_manager_and_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "none")}):
        manager = ServiceManager(environment)
        assert manager.watchdog is None
        manager.ready("")
        manager.close()


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog is None
