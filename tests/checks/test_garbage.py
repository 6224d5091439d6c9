"""Whatever servers say, what reads it says so in an orderly way, and within bounds."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from directrix.checks.agent_check import judge
from directrix.checks.file_check import number_in
from directrix.checks.frames import Claim, FromTcp, read
from directrix.checks.http_client import Response, get
from directrix.checks.smtp_check import Replies
from directrix.checks.sockets import CheckFailed
from directrix.checks.udp_check import hex_pattern


class Saying:
    """A wire at whose other end somebody says these parts, then closes."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    async def send(self, data: bytes) -> None:
        assert data.startswith(b"GET ")

    async def receive(self) -> bytes:
        return self.parts.pop(0) if self.parts else b""


GOOD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
mutated = st.builds(
    lambda place, junk, length: [GOOD[:place] + junk + GOOD[place + length :]],
    st.integers(0, len(GOOD)),
    st.binary(max_size=4),
    st.integers(0, 8),
)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8) | mutated)
def test_an_answer_over_http_is_a_response_or_a_failure(parts: list[bytes]) -> None:
    with suppress(CheckFailed):
        response = asyncio.run(get(Saying(parts), "/", "example.com"))
        assert isinstance(response, Response)
        assert 100 <= response.status <= 999


@given(st.binary(max_size=200))
def test_a_frame_is_understood_or_not(data: bytes) -> None:
    assert isinstance(read(data), FromTcp | Claim | None)


@given(st.lists(st.binary(max_size=40)))
def test_replies_of_smtp_are_codes_or_a_failure(parts: list[bytes]) -> None:
    replies = Replies()
    with suppress(CheckFailed):
        for part in parts:
            replies.feed(part)
            while (code := replies.take()) is not None:
                assert 0 <= code <= 999


@given(st.text(), st.integers(0, 100))
def test_an_agents_line_has_a_meaning_or_none(line: str, weight: int) -> None:
    with suppress(CheckFailed):
        outcome = judge(line, weight)
        assert outcome.weight is None or outcome.weight >= -weight


@given(st.binary(max_size=40))
def test_a_file_holds_a_number_or_none(content: bytes) -> None:
    number = number_in(content)
    assert number is None or -(2**31) <= number <= 2**31


@given(st.text(max_size=20))
def test_a_pattern_is_bytes_or_refused(text: str) -> None:
    with suppress(ValueError):
        pattern = hex_pattern(text)
        assert len(pattern.data) == len(pattern.mask) > 0
        assert pattern.matches(pattern.data)
