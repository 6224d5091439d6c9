"""SMTP_CHECK, DNS_CHECK, UDP_CHECK, PING_CHECK and AGENT_CHECK against servers as they are, good and bad."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from served import Handler, closed_port, resetting, run, saying, serving, silent

from directrix.checks.agent_check import AgentCheck, AgentChecker, judge
from directrix.checks.dns_check import DnsCheck, DnsChecker, DnsType
from directrix.checks.outcome import Outcome, Standing
from directrix.checks.ping_check import PingCheck, PingChecker, echo_request, is_reply
from directrix.checks.settings import Target
from directrix.checks.smtp_check import Replies, SmtpCheck, SmtpChecker
from directrix.checks.sockets import CheckFailed
from directrix.checks.udp_check import Pattern, UdpCheck, UdpChecker, hex_pattern
from directrix.system.checksum import checksum

LOCAL = IPv4Address("127.0.0.1")
Answer = Callable[[bytes], list[bytes]]


@asynccontextmanager
async def answering(answer: Answer, host: str = "127.0.0.1", timeout: float = 20.0) -> AsyncIterator[Target]:
    """A UDP server."""

    class Protocol(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for reply in answer(data):
                self.transport.sendto(reply, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Protocol, (host, 0))
    try:
        yield Target(ip_address(host), transport.get_extra_info("sockname")[1], connect_timeout=timeout)
    finally:
        transport.close()


# SMTP_CHECK


def mail_server(
    greeting: bytes = b"220 mail ESMTP\r\n", helo: bytes = b"250 mail\r\n", heard: list[bytes] | None = None
) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        for reply in (helo, b"221 Bye\r\n"):
            line = await reader.readline()
            if heard is not None:
                heard.append(line)
            writer.write(reply)
            await writer.drain()

    return handle


def smtp(handler: Handler, timeout: float = 20.0) -> Outcome:
    async def story() -> Outcome:
        async with serving(handler, timeout=timeout) as target:
            return await SmtpChecker(SmtpCheck(target, "checker.example.com")).check()

    return run(story())


def test_a_mail_server_is_greeted_and_left_politely() -> None:
    heard: list[bytes] = []
    several_lines = mail_server(b"220-mail\r\n220 ESMTP\r\n", b"250-mail\r\n250-SIZE\r\n250 OK\r\n", heard)
    assert smtp(several_lines).ok
    assert heard == [b"HELO checker.example.com\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize(
    ("handler", "detail"),
    [
        (mail_server(b"554 No\r\n"), "the greeting is 554, not 220"),
        (mail_server(helo=b"550 who are you\r\n"), "the answer to HELO is 550, not 250"),
        (mail_server(b"SSH-2.0-OpenSSH_9.2\r\n"), "'SSH-2.0-OpenSSH_9.2' is no reply of SMTP"),
        (mail_server(b"220-" + b"x" * 20000), "a reply is longer than 16384 bytes"),
    ],
)
def test_a_server_that_does_not_speak_smtp_fails(handler: Handler, detail: str) -> None:
    assert smtp(handler) == Outcome(False, detail)


def test_a_mail_server_that_says_nothing_fails_within_connect_timeout() -> None:
    assert smtp(silent, timeout=0.5) == Outcome(False, "the server said nothing for 0.5 s")


def test_further_hosts_must_be_well_too() -> None:
    async def story() -> list[Outcome]:
        async with serving(mail_server()) as good, serving(mail_server(b"421 No\r\n")) as bad:
            checks = [SmtpCheck(good, others=(good,)), SmtpCheck(good, others=(bad,))]
            return [await SmtpChecker(check).check() for check in checks]

    assert [outcome.ok for outcome in run(story())] == [True, False]


def test_replies_come_out_whole_however_they_come_in() -> None:
    replies, codes = Replies(), []
    for byte in b"220-a\r\n220 b\r\n250 c\n":
        replies.feed(bytes([byte]))
        while (code := replies.take()) is not None:
            codes.append(code)
    assert codes == [220, 250]


def test_a_helo_name_is_one_line() -> None:
    with pytest.raises(ValueError, match="not one line"):
        SmtpCheck(Target(LOCAL, 25), "a\r\nQUIT")


# DNS_CHECK


def zone(code: dns.rcode.Rcode = dns.rcode.NOERROR) -> Answer:
    def answer(data: bytes) -> list[bytes]:
        response = dns.message.make_response(dns.message.from_wire(data))
        response.set_rcode(code)
        return [response.to_wire()]

    return answer


def asked(answer: Answer, timeout: float = 5.0, host: str = "127.0.0.1") -> Outcome:
    async def story() -> Outcome:
        async with answering(answer, host, timeout) as target:
            return await DnsChecker(DnsCheck(target, "example.com", DnsType.AAAA)).check()

    return run(story())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_answer_without_error_is_enough(host: str) -> None:
    assert asked(zone(), host=host) == Outcome(True, "example.com AAAA: answered")


@pytest.mark.parametrize("code", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_an_error_of_the_name_server_fails(code: dns.rcode.Rcode) -> None:
    assert asked(zone(code)) == Outcome(False, f"example.com AAAA: {dns.rcode.to_text(code)}")


def test_what_answers_another_question_is_not_heard() -> None:
    def answer(data: bytes) -> list[bytes]:
        other = bytes([data[0] ^ 1]) + data[1:]
        return [b"", b"junk", *zone(dns.rcode.SERVFAIL)(other), data, *zone()(data)]

    assert asked(answer).ok


def test_a_refusal_may_leave_out_the_question() -> None:
    def answer(data: bytes) -> list[bytes]:
        bare = dns.message.Message(int.from_bytes(data[:2], "big"))
        bare.flags = dns.flags.QR
        bare.set_rcode(dns.rcode.REFUSED)
        return [bare.to_wire()]

    assert asked(answer) == Outcome(False, "example.com AAAA: REFUSED")


def test_an_answer_that_is_broken_fails() -> None:
    assert asked(lambda data: [data[:2] + b"\x80\x00\xff\xff\xff\xff"]) == Outcome(
        False, "the answer can't be understood"
    )


def test_no_answer_fails_within_connect_timeout() -> None:
    assert asked(lambda data: [], timeout=0.2) == Outcome(False, "no answer within 0.2 s")


def test_a_closed_port_is_told_by_icmp_at_once() -> None:
    target = Target(LOCAL, closed_port(kind=socket.SOCK_DGRAM), connect_timeout=30)
    assert run(DnsChecker(DnsCheck(target)).check()) == Outcome(False, "no answer: Connection refused")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no domain name"):
        DnsCheck(Target(LOCAL, 53), "a..b")


# UDP_CHECK


def sent(answer: Answer, timeout: float = 0.2, **options: object) -> Outcome:
    async def story() -> Outcome:
        async with answering(answer, timeout=timeout) as target:
            return await UdpChecker(UdpCheck(target, **options)).check()  # type: ignore[arg-type]

    return run(story())


def test_silence_is_a_good_sign_unless_a_reply_is_required() -> None:
    assert sent(lambda data: []) == Outcome(True, "no error within 0.2 s")
    assert sent(lambda data: [], require_reply=True) == Outcome(False, "no reply within 0.2 s")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_udp_port_fails_at_once(host: str) -> None:
    target = Target(ip_address(host), closed_port(host, socket.SOCK_DGRAM), connect_timeout=30)
    assert run(UdpChecker(UdpCheck(target)).check()) == Outcome(False, "sending failed: Connection refused")


@pytest.mark.parametrize(
    ("options", "ok"),
    [
        ({}, True),
        ({"reply": hex_pattern("01 02 XX 04")}, True),
        ({"reply": hex_pattern("01 02 03 04 05 06")}, True),
        ({"reply": hex_pattern("01 03")}, False),
        ({"min_reply_length": 4, "max_reply_length": 4}, True),
        ({"min_reply_length": 5}, False),
        ({"max_reply_length": 3}, False),
    ],
)
def test_a_required_reply_is_held_against_pattern_and_length(options: dict[str, object], ok: bool) -> None:
    def answer(data: bytes) -> list[bytes]:
        assert data == b"\xab\x12"
        return [b"\x01\x02\x03\x04"]

    outcome = sent(answer, 5.0, payload=hex_pattern("ab12").data, require_reply=True, **options)
    assert outcome.ok is ok, outcome


def test_bytes_are_read_as_keepalived_writes_them() -> None:
    assert hex_pattern("Ab12f 3 456 546443123").data == bytes.fromhex("AB120F03450654644312 03".replace(" ", ""))
    assert hex_pattern("aX xb xx x") == Pattern(b"\xa0\x0b\x00\x00", b"\xf0\x0f\x00\xf0")
    for wrong in ("", "  ", "0g"):
        with pytest.raises(ValueError, match=r"hexadecimal|no byte"):
            hex_pattern(wrong)


# PING_CHECK


@pytest.mark.root
@pytest.mark.parametrize("address", [LOCAL, IPv6Address("::1")])
def test_an_echo_is_answered(address: IPv4Address | IPv6Address) -> None:
    assert run(PingChecker(PingCheck(Target(address, 0))).check()) == Outcome(True, "answers")


@pytest.mark.root
def test_many_echoes_at_a_time_find_their_answers() -> None:
    async def story() -> list[Outcome]:
        return await asyncio.gather(*(PingChecker(PingCheck(Target(LOCAL, 0))).check() for _ in range(50)))

    assert all(outcome.ok for outcome in run(story()))


def test_only_the_answer_to_this_echo_counts() -> None:
    echo = echo_request(4, 0x12345678)
    assert checksum(echo) == 0
    reply = b"\0" + echo[1:]
    header = bytes([0x46]) + bytes(23)
    assert is_reply(reply, 4, 0x12345678, raw=False)
    assert is_reply(header + reply, 4, 0x12345678, raw=True)
    assert is_reply(reply, 4, 0x99995678, raw=False)
    assert not is_reply(header + reply, 4, 0x99995678, raw=True)
    assert not is_reply(echo, 4, 0x12345678, raw=False)
    assert not is_reply(reply, 4, 0x12345679, raw=False)
    assert not is_reply(b"", 4, 1, raw=True)
    assert not is_reply(reply[:-1], 4, 0x12345678, raw=False)


# AGENT_CHECK


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("75%", Outcome(True, "75%", weight=-2)),
        ("0%", Outcome(True, "0%", weight=-10)),
        ("1%\n", Outcome(True, "1%", weight=-9)),
        ("200%", Outcome(True, "200%", weight=10)),
        ("up 100%", Outcome(True, "up 100%", weight=0)),
        ("UP, drain", Outcome(True, "UP, drain", standing=Standing.DRAIN)),
        ("ready\tup\t50%", Outcome(True, "ready\tup\t50%", weight=-5, standing=Standing.READY)),
        ("maint", Outcome(True, "maint", standing=Standing.MAINT)),
        ("down", Outcome(False, "down", certain=True)),
        ("failed #disk full", Outcome(False, "failed #disk full", certain=True)),
        ("stopped", Outcome(False, "stopped", certain=True)),
        ("maxconn:30", Outcome(True, "maxconn:30")),
    ],
)
def test_the_agents_words_mean_what_they_mean_to_haproxy(line: str, outcome: Outcome) -> None:
    assert judge(line, 10) == outcome


@pytest.mark.parametrize("line", ["", "hello", "# up", "200 OK", "-5%", "%"])
def test_words_without_meaning_are_told_apart(line: str) -> None:
    with pytest.raises(CheckFailed, match="the agent said nothing"):
        judge(line, 10)


def test_down_stands_until_the_agent_says_up() -> None:
    assert judge("80%", 10, is_down=True) == Outcome(False, "80%", weight=-2, certain=True)
    assert judge("up 80%", 10, is_down=True) == Outcome(True, "up 80%", weight=-2)


def test_an_agent_is_asked_and_remembered() -> None:
    said: list[bytes] = [b"50%\r\nignored", b"down\n", b"", b"gibberish\n", b"up\n", b""]
    heard: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(said.pop(0))
        await writer.drain()

    async def story() -> list[tuple[bool, int | None]]:
        async with serving(handle) as target:
            checker = AgentChecker(AgentCheck(target, server_weight=8, send=b"rs1\n"))
            outcomes = [await checker.check() for _ in range(6)]
            return [(outcome.ok, outcome.weight) for outcome in outcomes]

    assert run(story()) == [(True, -4), (False, None), (False, None), (False, None), (True, None), (True, None)]
    assert heard == [b"rs1\n"] * 6


@pytest.mark.parametrize("handler", [silent, resetting, saying(b"x" * 100000)])
def test_an_agent_that_is_no_agent_fails_only_if_required(handler: Handler) -> None:
    async def story() -> list[bool]:
        async with serving(handler, timeout=0.2) as target:
            checks = [AgentCheck(target, send=b"\n"), AgentCheck(target, send=b"\n", require=True)]
            return [(await AgentChecker(check).check()).ok for check in checks]

    assert run(story()) == [True, False]


def test_an_agent_that_is_not_there_changes_nothing() -> None:
    target = replace(Target(LOCAL, closed_port()), connect_timeout=1)
    assert run(AgentChecker(AgentCheck(target)).check()).ok
