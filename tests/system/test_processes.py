"""Ending processes."""

from __future__ import annotations

import signal
import subprocess
import sys

from directrix.system import processes


def sleeper(prepare: str = "") -> subprocess.Popen[str]:
    code = f"import signal, time\n{prepare}\nprint('ready', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_one_that_listens_is_asked_to_end() -> None:
    with sleeper() as process:
        processes.end([process.pid], lambda _: True, patience=5)
        assert process.wait() == -signal.SIGTERM


def test_one_that_does_not_is_killed() -> None:
    with sleeper("signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        processes.end([process.pid], lambda _: True, patience=0.05)
        assert process.wait() == -signal.SIGKILL


def test_one_that_is_stopped_goes_on_to_its_end() -> None:
    with sleeper() as process:
        process.send_signal(signal.SIGSTOP)
        processes.end([process.pid], lambda _: True, patience=5)
        assert process.wait() == -signal.SIGTERM


def test_one_that_is_no_longer_meant_lives() -> None:
    with sleeper() as process:
        processes.end([process.pid], lambda _: False)
        assert process.poll() is None
        process.kill()


def test_one_that_has_gone_is_no_trouble() -> None:
    with sleeper() as process:
        process.kill()
    processes.end([process.pid], lambda _: True)
