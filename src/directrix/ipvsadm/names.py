"""Names of hosts and ports, from the system's resolver and /etc/services."""

from __future__ import annotations

import socket

from directrix.lvs import Address, Protocol

_FAILURES = (OSError, UnicodeError, ValueError)
"""What the resolver raises for a name it can't find or can't even ask for."""


class Names:
    """The system's names. Answers are kept: one listing or restore asks for each only once."""

    def __init__(self) -> None:
        self._hosts: dict[Address, str | None] = {}
        self._addresses: dict[str, bytes | None] = {}
        self._services: dict[tuple[int, Protocol], str | None] = {}
        self._ports: dict[tuple[str, Protocol], int | None] = {}

    def host(self, address: Address) -> str | None:
        """The name of an address, or None."""
        if address not in self._hosts:
            self._hosts[address] = self.find_host(address)
        return self._hosts[address]

    def address(self, host: str) -> bytes | None:
        """The IPv4 address of a host name in network order, or None; ipvsadm knows no IPv6 names."""
        if host not in self._addresses:
            self._addresses[host] = self.find_address(host) if host else None
        return self._addresses[host]

    def service(self, port: int, protocol: Protocol) -> str | None:
        """The name of a port, or None."""
        if (port, protocol) not in self._services:
            self._services[port, protocol] = self.find_service(port, protocol)
        return self._services[port, protocol]

    def port(self, service: str, protocol: Protocol) -> int | None:
        """The port a service name stands for, or None."""
        if (service, protocol) not in self._ports:
            self._ports[service, protocol] = self.find_port(service, protocol)
        return self._ports[service, protocol]

    def find_host(self, address: Address) -> str | None:
        """Ask the resolver for the name of an address."""
        try:
            return socket.gethostbyaddr(str(address))[0]
        except _FAILURES:
            return None

    def find_address(self, host: str) -> bytes | None:
        """Ask the resolver for the IPv4 address of a name."""
        try:
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
            return socket.inet_aton(str(found[0][4][0]))
        except _FAILURES:
            return None

    def find_service(self, port: int, protocol: Protocol) -> str | None:
        """Ask /etc/services for the name of a port."""
        try:
            return socket.getservbyport(port, protocol.name.lower())
        except _FAILURES:
            return None

    def find_port(self, service: str, protocol: Protocol) -> int | None:
        """Ask /etc/services for the port of a name."""
        try:
            return socket.getservbyname(service, protocol.name.lower())
        except _FAILURES:
            return None
