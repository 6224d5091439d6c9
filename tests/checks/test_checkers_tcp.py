"""TCP_CHECK, and what all checkers' connections have in common, against real sockets."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from served import closed_port, run, serving, silent

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, not_made
from directrix.checks.settings import Target
from directrix.checks.sockets import SO_MARK, CheckFailed, CheckNotMade, make, refused
from directrix.checks.tcp_check import TcpCheck, TcpChecker

LOCAL = IPv4Address("127.0.0.1")


async def checked(target: Target) -> Outcome:
    return await TcpChecker(TcpCheck(target)).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_enough(host: str) -> None:
    async def story() -> Outcome:
        async with serving(silent, host) as target:
            return await checked(target)

    assert run(story()) == Outcome(True, "connected")


def test_a_closed_port_fails_at_once() -> None:
    outcome = run(checked(Target(LOCAL, closed_port(), connect_timeout=30)))
    assert outcome == Outcome(False, "connecting failed: Connection refused")


def test_a_server_whose_queue_is_full_fails_within_connect_timeout() -> None:
    async def story() -> Outcome:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            target = Target(LOCAL, listening.getsockname()[1], connect_timeout=0.2)
            held = [make(target, socket.SOCK_STREAM) for _ in range(4)]
            for one in held:
                one.connect_ex(listening.getsockname())
            outcome = await checked(target)
            for one in held:
                one.close()
            return outcome

    assert run(story()) == Outcome(False, "no connection within 0.2 s")


def test_the_check_comes_from_the_address_and_port_that_are_asked_for() -> None:
    async def story() -> list[tuple[str, int]]:
        came: list[tuple[str, int]] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append(writer.get_extra_info("peername"))

        async with serving(note) as target:
            port = closed_port("127.0.0.9")
            outcome = await checked(replace(target, bindto=IPv4Address("127.0.0.9"), bind_port=port))
            assert outcome.ok, outcome
            while not came:
                await asyncio.sleep(0.01)
            assert came == [("127.0.0.9", port)]
        return came

    run(story())


def test_an_address_that_is_not_ours_is_not_the_servers_fault() -> None:
    outcome = run(checked(Target(LOCAL, 80, bindto=IPv4Address("192.0.2.1"))))
    assert outcome == not_made("the socket can't be bound: Cannot assign requested address")


def test_an_interface_that_is_not_there_is_not_the_servers_fault() -> None:
    assert not run(checked(Target(LOCAL, 80, bind_if="nosuchif0"))).made


def test_no_descriptors_left_is_not_the_servers_fault() -> None:
    async def story() -> Outcome:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as lowest_free:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free.fileno(), hard))
            try:
                return await checked(Target(LOCAL, 80))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert run(story()) == not_made("no socket: Too many open files")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EHOSTUNREACH, CheckFailed), (errno.EADDRNOTAVAIL, CheckNotMade), (errno.EPERM, CheckNotMade)],
)
def test_connect_tells_whose_fault_it_is(number: int, kind: type[Exception]) -> None:
    assert type(refused(number)) is kind


@pytest.mark.root
def test_packets_carry_the_mark_and_the_interface() -> None:
    with make(Target(LOCAL, 80, fwmark=7, bind_if="lo"), socket.SOCK_STREAM) as made:
        assert made.getsockopt(socket.SOL_SOCKET, SO_MARK) == 7
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"


def test_targets_that_can_never_work_are_refused() -> None:
    with pytest.raises(ValueError, match="different families"):
        Target(LOCAL, 80, bindto=IPv6Address("::1"))
    with pytest.raises(ValueError, match="needs bind_if"):
        Target(IPv6Address("fe80::1"), 80)
    with pytest.raises(ValueError, match="connect_timeout 0"):
        Target(LOCAL, 80, connect_timeout=0)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (CheckFailed("as it was found"), "as it was found"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "No route to host"),
        (CheckNotMade("not made"), "not made"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (TimeoutError(), "not finished within 0.05 s"),
    ],
)
def test_whatever_goes_wrong_in_an_attempt_is_an_outcome(error: Exception, detail: str) -> None:
    class Wrong(Checker):
        deadline = 0.05

        async def attempt(self, item: int) -> Outcome:
            if isinstance(error, TimeoutError):
                await asyncio.sleep(30)
            raise error

    made = not isinstance(error, CheckNotMade) and getattr(error, "errno", None) != errno.EMFILE
    assert run(Wrong().check()) == Outcome(False, detail, made=made)
