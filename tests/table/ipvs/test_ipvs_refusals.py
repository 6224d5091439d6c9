"""An error number of IPVS becomes the error that every make of the table has for it, in words."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv6Address

import pytest

from directrix.lvs import Protocol, RealServer, ServiceKey, TableError, VirtualService
from directrix.lvs.errors import (
    InvalidRequest,
    NoSuchScheduler,
    NoSuchServer,
    NoSuchService,
    ServerExists,
    ServiceExists,
)
from directrix.table.ipvs import refusals

WEB = ServiceKey.of(Protocol.TCP, IPv4Address("10.0.0.1"), 80)
WEB6 = ServiceKey.of(Protocol.TCP, IPv6Address("fd00::1"), 80)
SERVER = RealServer(IPv4Address("10.0.0.11"), 80)


@pytest.mark.parametrize(
    ("refusal", "kind", "number", "words"),
    [
        (refusals.of_service(errno.EEXIST, VirtualService(WEB)), ServiceExists, errno.EEXIST, "TCP 10.0.0.1:80 exists"),
        (refusals.of_service(errno.ENOENT, VirtualService(WEB, "x")), NoSuchScheduler, errno.ENOENT, "'x'"),
        (refusals.of_service(errno.ESRCH, VirtualService(WEB)), NoSuchService, errno.ESRCH, "no virtual service"),
        (
            refusals.of_service(errno.EINVAL, VirtualService(WEB6, netmask=0)),
            InvalidRequest,
            errno.EINVAL,
            "prefix is 1 to 128, not 0",
        ),
        (refusals.of_key(errno.ESRCH, WEB), NoSuchService, errno.ESRCH, "TCP 10.0.0.1:80"),
        (refusals.of_key(errno.EPERM, WEB), TableError, errno.EPERM, "not permitted"),
        (refusals.of_server(errno.EEXIST, WEB, SERVER), ServerExists, errno.EEXIST, "10.0.0.11:80 already"),
        (refusals.of_server(errno.ENOENT, WEB, SERVER), NoSuchServer, errno.ENOENT, "10.0.0.11:80"),
        (refusals.of_server(errno.ESRCH, WEB, SERVER), NoSuchService, errno.ESRCH, "TCP 10.0.0.1:80"),
        (refusals.of_server(errno.EINVAL, WEB6, SERVER), InvalidRequest, errno.EINVAL, "different address families"),
        (
            refusals.of_server(errno.ERANGE, WEB, RealServer(SERVER.address, 80, weight=-1)),
            InvalidRequest,
            errno.ERANGE,
            "can't be negative",
        ),
        (
            refusals.of_server(errno.EINVAL, WEB, RealServer(IPv4Address("224.0.0.1"), 80)),
            InvalidRequest,
            errno.EINVAL,
            "224.0.0.1 is not a unicast address",
        ),
        # What IPVS refuses for a reason of its own keeps the system's words.
        (refusals.of_server(errno.EINVAL, WEB, SERVER), InvalidRequest, errno.EINVAL, "Invalid argument"),
        (refusals.of_any(errno.ENOMEM), TableError, errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=lambda value: None if isinstance(value, int | type) else str(value),
)
def test_a_number_becomes_the_error_that_says_what_is_wrong(
    refusal: TableError, kind: type[TableError], number: int, words: str
) -> None:
    assert type(refusal) is kind
    assert refusal.errno == number
    assert words in refusal.reason
