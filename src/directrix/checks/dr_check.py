"""DR_CHECK, ours: a check addressed to the VIP, which reaches this one real server the way clients' packets do.

Every other check connects to the real server's own address, and so can't see the faults that direct routing has of its
own: the VIP missing on the server, a service that listens on the server's own address only, a server that answers ARP
for the VIP and takes the clients away from the director. This one finds them.

The director can't use a socket for it. The VIP is an address of its own, so connecting to it ends at home; and the
answer, coming from outside with an address of ours as its source, is a martian that the kernel drops. Both are gone
round without changing anything of the host: frames with the VIP as destination and the director's own address as
source are sent to the server's MAC through a packet socket (`dr_wire.py`), and the answers are read there, before IP
looks at them. A TCP client of our own (`small_tcp.py`) connects, asks for a page if one is configured, and ends by
RST, so that the server forgets it at once.

What the host's kernel does meanwhile: over IPv4 it drops the answers, silently unless `log_martians` is set. Over
IPv6, and where the VIP isn't on the director (a backup), it answers them with an RST to the VIP, which ends on this
host or at the director that has the VIP, and which nobody misses. All our segments have a TTL of 1: a server that
lacks the VIP and forwards can't send them on.

At the same time the server is asked, alone, by ARP or a neighbour solicitation, whether it has the VIP. One that
answers is wrong, however well its service works.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.dr_wire import Conversation, Wire, Wires
from directrix.checks.frames import Segment
from directrix.checks.http_client import HttpVersion, get, host_header
from directrix.checks.http_get import Expectation, Url
from directrix.checks.outcome import Outcome, failure, success
from directrix.checks.settings import Target
from directrix.checks.small_tcp import SmallTcp, State
from directrix.checks.sockets import CheckFailed, CheckNotMade
from directrix.lvs.addresses import Address, endpoint
from directrix.system.frames import who_has
from directrix.system.interfaces import addresses_of
from directrix.system.neighbours import look_for, neighbour
from directrix.system.routes import Route, route_to

CLAIM_WAIT = 0.25
"""Seconds that a server has to answer for the VIP. Linux does it at once, or never."""

_LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class DrCheck:
    """What is checked.

    Attributes:
        target: the real server's own address, and the port of the virtual service. `bindto`, `bind_if` and the times
            mean what they do elsewhere; the port is the checker's own, and marks mean nothing without the kernel's
            IP.
        vip: the virtual address.
        page: a page to ask for; None if connecting is enough.
        version: of HTTP.
        arp: the server must not answer for the VIP.
    """

    target: Target
    vip: Address
    page: Url | None = None
    version: HttpVersion = HttpVersion.HTTP_1_0
    arp: bool = True

    def __post_init__(self) -> None:
        if self.vip.version != self.target.address.version:
            raise ValueError(f"direct routing needs {self.vip} and {self.target.address} to be of one family")


class DrChecker(Checker):
    """Talks to one real server as a client would whom the director sends there."""

    def __init__(self, settings: DrCheck, wires: Wires) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline
        self._wires = wires
        self._page = None if settings.page is None else Expectation.of(settings.page)

    async def attempt(self, item: int) -> Outcome:
        """One conversation, and the question who has the VIP."""
        settings = self.settings
        wire, interface = self._wire()
        mac = await self._mac(interface)
        claimed = asyncio.Event()
        with wire.claim(mac, settings.vip, claimed.set):
            if settings.arp:
                wire.send(who_has(wire.mac, wire.source, settings.vip, mac))
            asked = asyncio.get_running_loop().time()
            try:
                outcome = await self._talk(wire, mac)
            except CheckFailed as error:
                outcome = failure(str(error))
            if settings.arp and not claimed.is_set():
                left = asked + CLAIM_WAIT - asyncio.get_running_loop().time()
                await _set_within(claimed, left)
        if claimed.is_set():
            how = "ARP requests" if settings.vip.version == 4 else "neighbour solicitations"
            also = "" if outcome.ok else f"; and {outcome.detail}"
            return failure(f"the server answers {how} for {settings.vip}, which is the director's to do{also}")
        return outcome

    def _wire(self) -> tuple[Wire, int]:
        target, vip = self.settings.target, self.settings.vip
        try:
            route = route_to(target.address, target.bind_if, target.fwmark)
        except OSError as error:
            raise CheckFailed(f"no route to {target.address}: {error.strerror}") from None
        if route.local:
            raise CheckFailed(f"{target.address} is an address of this host")
        if route.gateway is not None:
            raise CheckFailed(
                f"{target.address} is behind {route.gateway}: direct routing needs it on a segment of ours"
            )
        source = target.bindto or _source(route, target.address, vip)
        if source is None or source == vip:
            raise CheckNotMade(f"there is no address but the VIP to ask {target.address} from: set bindto")
        return self._wires.wire(route.interface, source), route.interface

    async def _mac(self, interface: int) -> bytes:
        """The server's MAC address, from the kernel, whose neighbour table the data plane follows, too."""
        address = self.settings.target.address
        try:
            async with asyncio.timeout(self.settings.target.connect_timeout):
                look_for(address, interface)
                while not (known := neighbour(address, interface)).mac:
                    if known.failed:
                        raise CheckFailed(f"nobody answers for {address} on the segment")
                    await asyncio.sleep(_LOOK_AGAIN)
                return known.mac
        except TimeoutError:
            raise CheckFailed(f"nobody answers for {address} on the segment") from None

    async def _talk(self, wire: Wire, mac: bytes) -> Outcome:
        settings = self.settings
        with_: Conversation = (mac, settings.vip, settings.target.port)
        while wire.is_busy(with_):
            await asyncio.sleep(_LOOK_AGAIN)
        talk = _Talk(wire, with_, settings)
        with wire.conversation(with_, talk.hear):
            try:
                await talk.connect()
                if self._page is None:
                    return success(f"takes connections to {endpoint(settings.vip, settings.target.port)}")
                url = self._page.url
                host = host_header(url.virtualhost, str(settings.vip), settings.target.port)
                response = await get(talk, url.path, host, settings.version)
            finally:
                talk.end()
        return await self._page.judge(response)


def _source(route: Route, address: Address, vip: Address) -> Address | None:
    """The director's own address on the server's segment. The kernel's choice may well be the VIP."""
    own = [one.ip for one in addresses_of(route.interface, address.version) if address in one.network and one.ip != vip]
    return own[0] if own and route.source not in own else route.source


class _Talk:
    """Keeps a SmallTcp going over a wire; what HTTP sends and receives through."""

    def __init__(self, wire: Wire, with_: Conversation, settings: DrCheck) -> None:
        self._wire, self._with, self._settings = wire, with_, settings
        self._tcp = SmallTcp(wire.port, settings.target.port, secrets.randbits(32))
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hear(self, segment: Segment) -> None:
        with suppress(CheckFailed):  # a wire that fails now fails again when something is sent that matters
            self._wire.send_tcp(self._with, self._tcp.receive(segment, self._loop.time()))
        self._news.set()

    async def connect(self) -> None:
        self._wire.send_tcp(self._with, self._tcp.start(self._loop.time()))
        vip = endpoint(self._settings.vip, self._settings.target.port)
        if not await self._wait(lambda: self._tcp.state is not State.CONNECTING):
            raise CheckFailed(f"no answer from {vip}: the server may lack the VIP, or a filter keeps it from answering")
        if self._tcp.state is State.REFUSED:
            raise CheckFailed(f"{vip} is refused: the server has the VIP, but no service listens there")

    async def send(self, data: bytes) -> None:
        self._wire.send_tcp(self._with, self._tcp.send(data, self._loop.time()))

    async def receive(self) -> bytes:
        tcp = self._tcp
        if not await self._wait(lambda: bool(tcp.received) or tcp.state is not State.CONNECTED):
            raise CheckFailed(f"the server said nothing for {self._settings.target.connect_timeout:g} s")
        if tcp.state is State.BROKEN:
            raise CheckFailed("the server broke the connection off")
        data = bytes(tcp.received)
        tcp.received.clear()
        return data

    def end(self) -> None:
        with suppress(CheckFailed):
            self._wire.send_tcp(self._with, self._tcp.reset())

    async def _wait(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is the case, sending again what has to be; tells whether it came to be in time."""
        deadline = self._loop.time() + self._settings.target.connect_timeout
        while not condition():
            now = self._loop.time()
            if now >= deadline:
                return False
            self._wire.send_tcp(self._with, self._tcp.tick(now))
            until = deadline if self._tcp.resend_at is None else min(deadline, self._tcp.resend_at)
            self._news.clear()
            await _set_within(self._news, until - now)
        return True


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    if seconds <= 0:
        return event.is_set()
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
