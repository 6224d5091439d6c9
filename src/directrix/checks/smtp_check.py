"""SMTP_CHECK: does it greet (220), take HELO (250), and say good-bye?"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.course import PlainCourse
from directrix.checks.outcome import Outcome, success
from directrix.checks.settings import Target
from directrix.checks.sockets import CheckFailed
from directrix.checks.stream import Stream

HELO_NAME = "smtpchecker.keepalived.org"
"""keepalived's default for `helo_name`, which mail servers' rules may know."""

LONGEST_REPLY = 16384
"""A reply of more bytes, all its lines together, is no SMTP."""


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """`helo_name`: what the checker calls itself. `others`: more hosts (`host` blocks), all of which must be well."""

    target: Target
    helo_name: str = HELO_NAME
    others: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        if not self.helo_name or any(sign in self.helo_name for sign in "\r\n"):
            raise ValueError(f"helo_name {self.helo_name!r} is not one line")


class Replies:
    """SMTP's replies out of a stream of bytes (RFC 5321, section 4.2): several lines may make one."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> None:
        """More of the stream.

        Raises:
            CheckFailed: a reply grows beyond all bounds.
        """
        self._bytes += data
        if len(self._bytes) > LONGEST_REPLY:
            raise CheckFailed(f"a reply is longer than {LONGEST_REPLY} bytes")

    def take(self) -> int | None:
        """The code of the next reply; None if it isn't whole yet.

        Raises:
            CheckFailed: a line doesn't begin with a code.
        """
        rest = self._bytes
        while True:
            line, newline, rest = rest.partition(b"\n")
            if not newline:
                return None
            if not line[:3].isdigit() or len(line[:3]) < 3:
                raise CheckFailed(f"{line[:40].decode(errors='replace').strip()!r} is no reply of SMTP")
            if line[3:4] != b"-":
                self._bytes = rest
                return int(line[:3])


class SmtpChecker(Checker):
    """One short conversation with each host."""

    course = PlainCourse(pursue=True, patient=True)

    def __init__(self, settings: SmtpCheck) -> None:
        self.settings = settings
        self._targets = (settings.target, *settings.others)
        self.deadline = sum(target.deadline for target in self._targets)

    async def attempt(self, item: int) -> Outcome:
        """One host after the other."""
        for target in self._targets:
            await self._talk(target)
        return success("greets and takes HELO")

    async def _talk(self, target: Target) -> None:
        """Greeting, HELO, QUIT."""
        stream, replies = await Stream.to(target), Replies()
        try:
            await _expect(stream, replies, 220, "the greeting")
            await stream.send(f"HELO {self.settings.helo_name}\r\n".encode())
            await _expect(stream, replies, 250, "the answer to HELO")
            await stream.send(b"QUIT\r\n")
            await _reply(stream, replies, "the answer to QUIT")
        finally:
            stream.close()


async def _expect(stream: Stream, replies: Replies, wanted: int, what: str) -> None:
    code = await _reply(stream, replies, what)
    if code != wanted:
        raise CheckFailed(f"{what} is {code}, not {wanted}")


async def _reply(stream: Stream, replies: Replies, what: str) -> int:
    while (code := replies.take()) is None:
        data = await stream.receive()
        if not data:
            raise CheckFailed(f"the server closed the connection before {what}")
        replies.feed(data)
    return code
