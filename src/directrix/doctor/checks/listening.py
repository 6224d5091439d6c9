"""Whether this real server's service listens where packets for the VIP come: on the VIP or on all addresses."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.commands import redirect
from directrix.doctor.finding import Check, Finding, Role, fail, ok, skip, warn
from directrix.doctor.host import Listener
from directrix.doctor.redirection import redirection
from directrix.doctor.served import Service
from directrix.lvs import Address, Protocol, ServiceKey

_NO_SERVICE = (22, 68, 546)
"""Administration, and clients of DHCP."""
_LAST_WELL_KNOWN = 1023


def look(case: Case) -> Iterator[Finding]:
    """Each service named, or, if none is, each socket that takes packets for the host's own address only."""
    if case.services:
        for service in case.pace.each(case.services, "services"):
            yield look_at(case, service)
        return
    if not case.vips:
        yield skip("sockets", "no VIP is known here; name it with --vip, or better, its services with --service")
    for vip in case.pace.each(case.vips, "VIPs"):
        yield from _unnamed(case, vip)


def look_at(case: Case, service: Service) -> Finding:
    """Whether somebody on this host takes what is for a service."""
    protocol = service.protocol.name.lower()
    if not service.port:
        return skip(str(service), "it is for every port")
    if service.protocol not in (Protocol.TCP, Protocol.UDP):
        return skip(str(service), f"sockets of {service.protocol.name} can't be listed")
    taking = [each for each in case.host.listeners if each.takes(protocol, service.vip, service.port)]
    if taking:
        return ok(str(service), f"{_called(case, taking[0])} listens on {_where(taking[0])}")
    taken_to = redirection(case, protocol, service.vip, service.port)
    if taken_to is not None:
        port = taken_to.port or service.port
        own = _own_addresses(case, service.vip)
        if any(each.takes(protocol, address, port) for each in case.host.listeners for address in own):
            return ok(str(service), f"packets for it are redirected to port {port}, where somebody listens")
    narrow = [each for each in case.host.listeners if (each.protocol, each.port) == (protocol, service.port)]
    narrow = [each for each in narrow if each.address in _own_addresses(case, service.vip)]
    if narrow:
        return fail(
            str(service),
            f"{_called(case, narrow[0])} listens on {narrow[0].address} only, and not on the VIP: let it listen on all "
            "addresses, or have packets for the VIP redirected to it",
            [redirect(service)],
        )
    inward = [
        each
        for each in case.host.listeners
        if (each.protocol, each.port) == (protocol, service.port) and each.address.is_loopback
    ]
    if inward:
        called = _called(case, inward[0])
        return fail(str(service), f"{called} listens on {inward[0].address} only: let it listen on all addresses")
    others = _others(case, service)
    if others:
        first = others[0]
        return fail(
            str(service),
            f"nobody listens at port {service.port}, but {_called(case, first)} does at {first.port}; on the way "
            "here the port stays as it is",
            [redirect(service, first.port)],
        )
    return fail(str(service), f"nobody listens at port {service.port}: start the service")


def _unnamed(case: Case, vip: Address) -> Iterator[Finding]:
    own = _own_addresses(case, vip)
    seen = False
    if not any(
        each.port not in _NO_SERVICE and (each.address in own or each.takes(each.protocol, vip, each.port))
        for each in case.host.listeners
    ):
        yield warn(f"VIP {vip}", "nothing at all listens for it: a real server without a service refuses every client")
        return
    for listener in case.host.listeners:
        if listener.address not in own or listener.port in _NO_SERVICE or listener.port > _LAST_WELL_KNOWN:
            continue
        protocol = Protocol[listener.protocol.upper()]
        service = Service(protocol, vip, listener.port, ServiceKey.of(protocol, vip, listener.port))
        if any(each.takes(listener.protocol, vip, listener.port) for each in case.host.listeners):
            continue
        if redirection(case, listener.protocol, vip, listener.port) is not None:
            continue
        seen = True
        yield warn(
            str(service),
            f"{_called(case, listener)} listens on {listener.address} only; if it serves the VIP, let it listen on all "
            "addresses, or have packets for the VIP redirected to it",
            [redirect(service)],
        )
    if not seen:
        yield ok(f"VIP {vip}", "nothing listens on this host's own address only; --service looks at one service")


def _others(case: Case, service: Service) -> list[Listener]:
    """Whoever listens somewhere else and could be the service that was meant, on a usual other port first."""
    addresses = [service.vip, *_own_addresses(case, service.vip)]
    found = [
        each
        for each in case.host.listeners
        if each.protocol == service.protocol.name.lower()
        and each.port not in _NO_SERVICE
        and any(each.takes(each.protocol, address, each.port) for address in addresses)
    ]
    return sorted(found, key=lambda each: (not str(each.port).startswith(str(service.port)), each.port))


def _own_addresses(case: Case, vip: Address) -> list[Address]:
    return [
        each.address
        for each in case.host.carried
        if each.interface != LOOPBACK and each.address.version == vip.version and not case.is_vip(each.address)
    ]


def _called(case: Case, listener: Listener) -> str:
    return case.host.program_of(listener) or "a program"


def _where(listener: Listener) -> str:
    return "all addresses" if listener.address.is_unspecified else str(listener.address)


CHECK = Check(
    "listening",
    "the service listens on the VIP or on all addresses",
    "A packet that comes by direct routing is for the VIP. A service bound to the real server's own address refuses "
    "it, though every check of that address is content.",
    frozenset({Role.REALSERVER}),
    look,
)
