"""UDP_CHECK: is the port open? Silence is a good sign, an ICMP error a bad one; or a reply is required."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, failure, success
from directrix.checks.settings import Target
from directrix.checks.sockets import connected_udp

PAYLOAD = b"directrix: is this port open?"
"""What is sent if no payload is configured."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes, some of whose halves may be anything (`X` in a configuration): where `mask` has ones, `data` counts."""

    data: bytes
    mask: bytes

    def matches(self, reply: bytes) -> bool:
        """Whether a reply is like this, as far as both go."""
        return all((got ^ want) & mask == 0 for got, want, mask in zip(reply, self.data, self.mask, strict=False))


@dataclass(frozen=True, slots=True)
class UdpCheck:
    """What is sent, and what must come.

    Attributes:
        payload: what is sent.
        require_reply: something must come back.
        reply: what it must be like; None for anything.
        min_reply_length, max_reply_length: how long it must be, in bytes.
    """

    target: Target
    payload: bytes = PAYLOAD
    require_reply: bool = False
    reply: Pattern | None = None
    min_reply_length: int = 0
    max_reply_length: int = 255


class UdpChecker(Checker):
    """Sends one datagram, and waits for `connect_timeout` whether something comes."""

    def __init__(self, settings: UdpCheck) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline

    async def attempt(self, item: int) -> Outcome:
        """One datagram."""
        settings, loop = self.settings, asyncio.get_running_loop()
        made = connected_udp(settings.target)
        try:
            async with asyncio.timeout(settings.target.connect_timeout):
                await loop.sock_sendall(made, settings.payload)
                reply = await loop.sock_recv(made, settings.max_reply_length + 1)
        except TimeoutError:
            waited = f"within {settings.target.connect_timeout:g} s"
            return failure(f"no reply {waited}") if settings.require_reply else success(f"no error {waited}")
        except OSError as error:
            return failure(f"sending failed: {error.strerror}")
        finally:
            made.close()
        return self._judge(reply)

    def _judge(self, reply: bytes) -> Outcome:
        settings = self.settings
        if settings.require_reply:
            if not settings.min_reply_length <= len(reply) <= settings.max_reply_length:
                return failure(f"the reply has {len(reply)} bytes or more")
            if settings.reply is not None and not settings.reply.matches(reply):
                return failure("the reply is another one than required")
        return success("replied")


def hex_pattern(text: str) -> Pattern:
    """Bytes written in hexadecimal as keepalived reads them: words of digits, an odd last digit being a byte of its
    own.

    `Ab12f 3` is AB 12 0F 03; an `X` stands for half a byte that may be anything.

    Raises:
        ValueError: there is something else in it, or nothing.
    """
    data, mask = bytearray(), bytearray()
    for word in text.split():
        for start in range(0, len(word), 2):
            value, bits = 0, 0
            pair = word[start : start + 2]
            for sign in pair:
                try:
                    digit, known = (0, 0) if sign in "xX" else (int(sign, 16), 15)
                except ValueError:
                    raise ValueError(f"{sign!r} in {text!r} is no hexadecimal digit") from None
                value, bits = value << 4 | digit, bits << 4 | known
            data.append(value)
            mask.append(bits if len(pair) == 2 else bits | 0xF0)
    if not data:
        raise ValueError("there is no byte in it")
    return Pattern(bytes(data), bytes(mask))
