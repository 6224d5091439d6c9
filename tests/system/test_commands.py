"""Running the system's commands."""

from __future__ import annotations

import time

import pytest

from directrix.system.commands import CommandFailed, ip, run


def test_what_a_command_says_is_given_back_and_what_it_is_given_it_reads() -> None:
    assert run(["sh", "-c", "cat; echo err >&2"], text="in\n") == "in\nerr\n"


def test_a_failure_names_command_status_and_words() -> None:
    with pytest.raises(CommandFailed, match=r"^`sh -c 'echo alas; exit 3'` failed with status 3: alas$") as caught:
        run(["sh", "-c", "echo alas; exit 3"])
    assert (caught.value.status, caught.value.output) == (3, "alas")


def test_an_end_by_signal_is_told() -> None:
    with pytest.raises(CommandFailed, match=r"was ended by signal 9$"):
        run(["sh", "-c", "kill -9 $$"])


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(CommandFailed, match=r"^`no-such-program -x` failed with status 127: No such file"):
        run(["no-such-program", "-x"])


def test_what_a_command_leaves_in_the_background_is_not_waited_for() -> None:
    start = time.monotonic()
    assert run(["sh", "-c", "sleep 20 & echo done"]) == "done\n"
    assert time.monotonic() - start < 15


def test_of_many_ip_commands_the_one_that_failed_is_told() -> None:
    with pytest.raises(CommandFailed) as caught:
        ip(["link show dev lo", "link show dev no-such-device", "link show"])
    assert caught.value.command == "ip link show dev no-such-device"
    assert "does not exist" in caught.value.output
    assert "Command failed" not in caught.value.output
