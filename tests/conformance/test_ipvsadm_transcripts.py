"""The ipvsadm language answers as ipvsadm and IPVS did when the transcripts were recorded."""

from __future__ import annotations

import io
from difflib import unified_diff
from ipaddress import IPv4Address, ip_address

import machine
import pytest
from _pytest.mark import ParameterSet
from scenario import HERE, SCENARIOS, TRANSCRIPTS, Answer, Step, read_scenario, transcript

from directrix.ipvsadm.command import main
from directrix.ipvsadm.names import Names
from directrix.lvs import Address, Connection, Protocol
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable

NAMES = sorted(path.name for path in SCENARIOS.glob("*.txt"))


class FileNames(Names):
    """The names in the files `hosts` and `services`, which the recording machine had too."""

    def __init__(self) -> None:
        super().__init__()
        self._entries = [line.split() for line in (HERE / "hosts").read_text().splitlines()]
        self._known = [line.split() for line in (HERE / "services").read_text().splitlines()]

    def find_host(self, address: Address) -> str | None:
        return next((names[0] for text, *names in self._entries if ip_address(text) == address), None)

    def find_address(self, host: str) -> bytes | None:
        found = (ip_address(text) for text, *names in self._entries if host in names)
        return next((address.packed for address in found if address.version == 4), None)

    def find_service(self, port: int, protocol: Protocol) -> str | None:
        wanted = f"{port}/{protocol.name.lower()}"
        return next((name for name, which in self._known if which == wanted), None)

    def find_port(self, service: str, protocol: Protocol) -> int | None:
        ending = f"/{protocol.name.lower()}"
        found = (which for name, which in self._known if name == service and which.endswith(ending))
        return next((int(which.removesuffix(ending)) for which in found), None)


class Director:
    """A memory table that can be told what connections it has."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.names = FileNames()

    def execute(self, step: Step) -> Answer:
        if step.words[0] == "connections":
            entries = [read_connection(line) for line in step.stdin.splitlines()]
            self.table.connections = lambda: iter(entries)  # type: ignore[method-assign]
            return Answer(0, "", "")
        stdout, stderr = io.StringIO(), io.StringIO()
        status = main(step.words[1:], self.open, io.StringIO(step.stdin), stdout, stderr, self.names)
        return Answer(status, stdout.getvalue(), stderr.getvalue())

    def open(self, *, create: bool) -> Table:
        return self.table


def read_connection(line: str) -> Connection:
    """An entry in the form of /proc/net/ip_vs_conn."""
    protocol, *ends, state, expires, engine, data = (line + " - -").split()[:11]
    client, client_port, virtual, virtual_port, server, server_port = ends

    def address(text: str) -> Address:
        return ip_address(text) if ":" in text else IPv4Address(int(text, 16))

    return Connection(
        0 if protocol == "IP" else Protocol[protocol],
        address(client),
        int(client_port, 16),
        address(virtual),
        int(virtual_port, 16),
        address(server),
        int(server_port, 16),
        state,
        int(expires),
        engine="" if engine == "-" else engine,
        engine_data="" if data == "-" else data,
    )


NOT_YET = {
    "engines.txt": "the memory table has no persistence engines",
    "mapped_addresses.txt": "tables take IPv4-mapped addresses of real servers",
}


def case(name: str) -> ParameterSet:
    """A scenario to compare; one that can't be the same yet must not be, so that it is noticed when it is."""
    marks = [pytest.mark.xfail(reason=NOT_YET[name], strict=True)] if name in NOT_YET else []
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [case(name) for name in NAMES])
def test_answers_are_those_of_ipvsadm(name: str) -> None:
    theirs = (TRANSCRIPTS / name).read_text()
    ours = transcript(read_scenario(SCENARIOS / name), Director().execute)
    difference = unified_diff(theirs.split("\n"), ours.split("\n"), "ipvsadm", "ours", n=5)
    assert not (text := "\n".join(difference)), text


def test_every_transcript_has_its_scenario() -> None:
    assert sorted(path.name for path in TRANSCRIPTS.iterdir()) == NAMES


@pytest.mark.uml
def test_ipvsadm_and_ipvs_still_answer_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    assert machine.record() == {name: (TRANSCRIPTS / name).read_text() for name in NAMES}
