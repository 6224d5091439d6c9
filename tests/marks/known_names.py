"""Names that don't depend on the machine the tests run on."""

from __future__ import annotations

from ipaddress import ip_address

from directrix.lvs import Address, Protocol

_HOSTS = {"www": ip_address("192.0.2.80")}
_PORTS = {"http": 80, "https": 443, "http-alt": 8080, "domain": 53}


class KnownNames:
    """A host and some ports."""

    def address(self, host: str) -> bytes | None:
        return _HOSTS[host].packed if host in _HOSTS else None

    def port(self, service: str, protocol: Protocol) -> int | None:
        return _PORTS.get(service)

    def host(self, address: Address) -> str | None:
        return next((name for name, known in _HOSTS.items() if known == address), None)

    def service(self, port: int, protocol: Protocol) -> str | None:
        return next((name for name, known in _PORTS.items() if known == port), None)
