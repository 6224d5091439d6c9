"""DNS_CHECK: does it answer a question over UDP, without an error? What the answer says doesn't matter."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, failure, success
from directrix.checks.settings import Target
from directrix.checks.sockets import CheckFailed, connected_udp

LARGEST = 65535


class DnsType(enum.Enum):
    """`type`: what is asked for."""

    A = "A"
    NS = "NS"
    CNAME = "CNAME"
    SOA = "SOA"
    MX = "MX"
    TXT = "TXT"
    AAAA = "AAAA"
    RRSIG = "RRSIG"
    DNSKEY = "DNSKEY"


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """The question."""

    target: Target
    name: str = "."
    type: DnsType = DnsType.SOA

    def __post_init__(self) -> None:
        import dns.exception
        import dns.name

        try:
            dns.name.from_text(self.name)
        except dns.exception.DNSException as error:
            raise ValueError(f"{self.name!r} is no domain name: {error}") from None


class DnsChecker(Checker):
    """Asks one question. What doesn't belong to it is not heard; an answer must come within `connect_timeout`."""

    def __init__(self, settings: DnsCheck) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline

    async def attempt(self, item: int) -> Outcome:
        """One question with a number of its own."""
        import dns.exception
        import dns.message
        import dns.rcode

        settings = self.settings
        question = dns.message.make_query(settings.name, settings.type.value)
        loop = asyncio.get_running_loop()
        made = connected_udp(settings.target)
        try:
            async with asyncio.timeout(settings.target.connect_timeout):
                await loop.sock_sendall(made, question.to_wire())
                while True:
                    data = await loop.sock_recv(made, LARGEST)
                    try:
                        answer = dns.message.from_wire(data, ignore_trailing=True, one_rr_per_rrset=True)
                    except (dns.exception.DNSException, ValueError):
                        if data[:2] == question.id.to_bytes(2, "big"):
                            raise CheckFailed("the answer can't be understood") from None
                        continue
                    if question.is_response(answer) or _is_refusal_of(question.id, answer):
                        break
        except TimeoutError:
            return failure(f"no answer within {settings.target.connect_timeout:g} s")
        except OSError as error:
            return failure(f"no answer: {error.strerror}")
        finally:
            made.close()
        asked = f"{settings.name} {settings.type.value}"
        if answer.rcode():
            return failure(f"{asked}: {dns.rcode.to_text(answer.rcode())}")
        return success(f"{asked}: answered")


def _is_refusal_of(number: int, answer: object) -> bool:
    """A server that refuses may leave out the question it was asked."""
    import dns.flags
    import dns.message

    return (
        isinstance(answer, dns.message.Message)
        and answer.id == number
        and bool(answer.flags & dns.flags.QR)
        and (answer.rcode() != 0 or not answer.question)
    )
