"""What an error number of IPVS means, by what was asked.

IPVS gives a number and no words. Where it is one of the checks that every make of the table
knows, the words are those of that check.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from directrix.lvs import Address, RealServer, ServiceKey, TableError, VirtualService
from directrix.lvs.addresses import endpoint
from directrix.lvs.errors import (
    InvalidRequest,
    NoSuchScheduler,
    NoSuchServer,
    NoSuchService,
    ServerExists,
    ServiceExists,
)
from directrix.table.interface import check_address, check_netmask, check_server


def of_any(number: int) -> TableError:
    """A refusal of something that is not about a service."""
    if number in (errno.EINVAL, errno.ERANGE):
        return InvalidRequest(os.strerror(number), number)
    return TableError(number)


def of_key(number: int, key: ServiceKey) -> TableError:
    """A refusal of what only names a service."""
    return NoSuchService(key) if number == errno.ESRCH else of_any(number)


def of_service(number: int, service: VirtualService) -> TableError:
    """A refusal to add or edit a service."""
    if number == errno.EEXIST:
        return ServiceExists(service.key)
    if number == errno.ENOENT:
        return NoSuchScheduler(service.scheduler if not service.engine else f"{service.scheduler} or {service.engine}")
    return _in_words(number, lambda: check_netmask(service)) or of_key(number, service.key)


def of_server(number: int, key: ServiceKey, server: RealServer) -> TableError:
    """A refusal to add or edit a real server."""
    return (
        _in_words(number, lambda: check_server(key, server))
        or _in_words(number, lambda: check_address(server.address))
        or of_server_key(number, key, server.address, server.port)
    )


def of_server_key(number: int, key: ServiceKey, address: Address, port: int) -> TableError:
    """A refusal of what only names a real server."""
    if number == errno.EEXIST:
        return ServerExists(endpoint(address, port))
    if number == errno.ENOENT:
        return NoSuchServer(endpoint(address, port))
    return of_key(number, key)


def _in_words(number: int, check: Callable[[], None]) -> TableError | None:
    try:
        check()
    except InvalidRequest as error:
        if error.errno == number:
            return error
    return None
