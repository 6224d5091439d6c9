"""Runs a scenario's commands in this process, through our ipvsadm language over a table."""

from __future__ import annotations

import io
from ipaddress import IPv4Address, ip_address

from scenario import HERE, Answer, Step

from directrix.ipvsadm.command import OpenTable, main
from directrix.ipvsadm.names import Names
from directrix.lvs import Address, Connection, Protocol


class FileNames(Names):
    """The names in the files `hosts` and `services`, which the recording machine had too."""

    def __init__(self) -> None:
        super().__init__()
        self._hosts_file = [line.split() for line in (HERE / "hosts").read_text().splitlines()]
        self._services_file = [line.split() for line in (HERE / "services").read_text().splitlines()]

    def find_host(self, address: Address) -> str | None:
        return next((names[0] for text, *names in self._hosts_file if ip_address(text) == address), None)

    def find_address(self, host: str) -> bytes | None:
        # The C library takes ::1 for 127.0.0.1 where it looks for an IPv4 address.
        found = (ip_address("127.0.0.1" if text == "::1" else text) for text in self._texts(host))
        return next((address.packed for address in found if address.version == 4), None)

    def _texts(self, host: str) -> list[str]:
        return [text for text, *names in self._hosts_file if host.lower() in names]

    def find_service(self, port: int, protocol: Protocol) -> str | None:
        wanted = f"{port}/{protocol.name.lower()}"
        return next((name for name, which in self._services_file if which == wanted), None)

    def find_port(self, service: str, protocol: Protocol) -> int | None:
        ending = f"/{protocol.name.lower()}"
        found = (which for name, which in self._services_file if name == service and which.endswith(ending))
        return next((int(which.removesuffix(ending)) for which in found), None)


def execute(step: Step, open_table: OpenTable, names: Names) -> Answer:
    """Carry out one `ipvsadm` command."""
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(step.words[1:], open_table, io.StringIO(step.stdin), stdout, stderr, names)
    return Answer(status, stdout.getvalue(), stderr.getvalue())


def read_connection(line: str) -> Connection:
    """An entry in the form of /proc/net/ip_vs_conn."""
    protocol, *ends, state, expires, engine, data = (line + " - -").split()[:11]
    client, client_port, virtual, virtual_port, server, server_port = ends
    return Connection(
        0 if protocol == "IP" else Protocol[protocol],
        _address(client),
        int(client_port, 16),
        _address(virtual),
        int(virtual_port, 16),
        _address(server),
        int(server_port, 16),
        state,
        int(expires),
        engine="" if engine == "-" else engine,
        engine_data="" if data == "-" else data,
    )


def _address(text: str) -> Address:
    return ip_address(text) if ":" in text else IPv4Address(int(text, 16))
