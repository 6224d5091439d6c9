"""What a command line does to the table, to the streams and to the exit status."""

from __future__ import annotations

import errno
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from directrix.ipvsadm.command import main
from directrix.ipvsadm.usage import USAGE, VERSION
from directrix.lvs import RealServer, ServiceKey, TableError, VirtualService
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.errors import NotSupportedYet, TableUnavailable
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable


class Watched(MemoryTable):
    """A table that notes how it was opened, begun, committed and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def open(self, *, create: bool) -> Table:
        self.seen.append("create" if create else "open")
        return self

    def begin(self) -> None:
        self.seen.append("begin")

    def commit(self) -> None:
        self.seen.append("commit")

    def close(self) -> None:
        self.seen.append("close")


@dataclass
class Outcome:
    status: int
    stdout: str
    stderr: str


@dataclass
class Terminal:
    """Runs command lines over one table."""

    table: Watched = field(default_factory=Watched)

    def run(self, line: str, stdin: str = "") -> Outcome:
        stdout, stderr = io.StringIO(), io.StringIO()
        status = main(line.split(), self.table.open, io.StringIO(stdin), stdout, stderr)
        return Outcome(status, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("", ["open", "close"]),
        ("-L", ["open", "close"]),
        ("-S", ["open", "close"]),
        ("-Z", ["open", "close"]),
        ("-C", ["open", "close"]),
        ("-A -t 10.0.0.1:80", ["create", "close"]),
        ("--set 1 2 3", ["create", "close"]),
        ("-E -t 10.0.0.1:80", ["open", "close"]),
        ("-D -t 10.0.0.1:80", ["open", "close"]),
        ("-a -t 10.0.0.1:80 -r 10.0.0.11", ["open", "close"]),
        ("-e -t 10.0.0.1:80 -r 10.0.0.11", ["open", "close"]),
        ("-d -t 10.0.0.1:80 -r 10.0.0.11", ["open", "close"]),
        ("-A -t 80", []),
        ("-h", []),
        ("-v", []),
        ("-R", []),
        ("--start-daemon master", ["open", "close"]),
        ("--stop-daemon master", ["open", "close"]),
        ("-L --daemon", ["open", "close"]),
    ],
)
def test_only_what_needs_a_table_makes_one(terminal: Terminal, line: str, seen: list[str]) -> None:
    terminal.run(line)
    assert terminal.table.seen == seen


def test_a_restore_opens_the_table_once_and_commits_at_the_end(terminal: Terminal) -> None:
    assert terminal.run("-R", "-A -t 10.0.0.1:80\n-A -t 10.0.0.2:80\n").status == 0
    assert terminal.table.seen == ["create", "begin", "commit", "close"]


def test_a_listing_in_a_restore_shows_what_came_before(terminal: Terminal) -> None:
    assert "10.0.0.1:80" in terminal.run("-R", "-A -t 10.0.0.1:80\n-L -n\n").stdout
    assert terminal.table.seen == ["create", "begin", "commit", "begin", "commit", "close"]


def test_a_restore_of_nothing_but_misuse_makes_no_table(terminal: Terminal) -> None:
    assert terminal.run("-R", "nonsense\n").status == 255
    assert terminal.table.seen == []


def test_a_restore_reads_all_its_input_before_it_begins() -> None:
    table = Watched()

    def slow() -> Iterator[str]:
        yield "-A -t 10.0.0.1:80\n"
        assert table.seen == []
        yield "-A -t 10.0.0.2:80\n"

    assert main(["-R"], table.open, slow(), io.StringIO(), io.StringIO()) == 0
    assert len(table.services()) == 2


def test_a_restore_that_fails_commits_what_came_before(terminal: Terminal) -> None:
    assert terminal.run("-R", "-A -t 10.0.0.1:80\n-A -t\n# no comment\n-A -t 10.0.0.2:80\n").status == 255
    assert terminal.table.seen == ["create", "begin", "commit", "close"]
    assert len(terminal.table.services()) == 1


def test_a_commit_that_fails_is_a_refusal() -> None:
    class Full(Watched):
        def commit(self) -> None:
            raise TableError(errno.ENOSPC, "the table is full")

    terminal = Terminal(Full())
    assert terminal.run("-R", "-A -t 10.0.0.1:80\n") == Outcome(255, "", "the table is full\n")


def test_a_misuse_in_a_restore_ends_it(terminal: Terminal) -> None:
    outcome = terminal.run("-R", "-A -t 10.0.0.1:80\n-A -t 80\n-A -t 10.0.0.2:80\n")
    assert outcome == Outcome(2, "", "illegal virtual server address[:port] specified\n")
    assert len(terminal.table.services()) == 1
    assert terminal.table.seen == ["create", "begin", "commit", "close"]


def test_a_table_that_is_not_there_is_the_callers_to_tell() -> None:
    def unavailable(*, create: bool) -> Table:
        raise TableUnavailable("no BPF here", "use another kernel")

    with pytest.raises(TableUnavailable):
        main(["-L"], unavailable, (), io.StringIO(), io.StringIO())


def test_what_a_table_cannot_do_yet_is_refused_in_its_own_words() -> None:
    class Young(Watched):
        def add_service(self, service: VirtualService) -> None:
            raise NotSupportedYet("one-packet scheduling")

        def add_server(self, key: ServiceKey, server: RealServer) -> None:
            raise NotSupportedYet("tunneling")

    terminal = Terminal(Young())
    assert terminal.run("-A -u 10.0.0.1:53 -o") == Outcome(
        255, "", "one-packet scheduling is not supported by this table yet\n"
    )
    assert terminal.run("-a -u 10.0.0.1:53 -r 10.0.0.11 -i").stderr == "tunneling is not supported by this table yet\n"


@pytest.mark.parametrize("line", ["--start-daemon master --syncid 7", "--stop-daemon backup"])
def test_synchronization_is_refused_by_a_table_that_has_none(terminal: Terminal, line: str) -> None:
    assert terminal.run(line) == Outcome(255, "", "connection synchronization is not supported by this table yet\n")


class Synchronizing(Watched):
    """A table with daemons."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[DaemonRole, SyncDaemon] = {}

    def daemons(self) -> list[SyncDaemon]:
        return [self.running[role] for role in sorted(self.running)]

    def start_daemon(self, daemon: SyncDaemon) -> None:
        if daemon.role in self.running:
            raise TableError(errno.EEXIST)
        self.running[daemon.role] = daemon

    def stop_daemon(self, role: DaemonRole) -> None:
        if self.running.pop(role, None) is None:
            raise TableError(errno.ESRCH)


def test_daemons_are_started_listed_and_stopped() -> None:
    terminal = Terminal(Synchronizing())
    assert terminal.run("--start-daemon backup") == Outcome(0, "", "")
    full = "--mcast-interface eth1 --syncid 7 --sync-maxlen 1400 --mcast-group ff02::5 --mcast-port 9000 --mcast-ttl 3"
    assert terminal.run(f"--start-daemon master {full}") == Outcome(0, "", "")
    assert terminal.run("-L --daemon").stdout == (
        "master sync daemon (mcast=eth1, syncid=7, maxlen=1400, group=ff02::5, port=9000, ttl=3)\n"
        "backup sync daemon (mcast=eth0, syncid=0, maxlen=0, group=None, port=0, ttl=0)\n"
    )
    assert terminal.run("--start-daemon master") == Outcome(255, "", "Daemon has already run\n")
    assert terminal.run("--stop-daemon master") == Outcome(0, "", "")
    assert terminal.run("--stop-daemon master") == Outcome(255, "", "No daemon is running\n")


def test_help_and_version_end_a_restore(terminal: Terminal) -> None:
    assert terminal.run("-R", "-h\n-A -t 10.0.0.1:80\n") == Outcome(0, USAGE, "")
    assert terminal.run("-R", "-v\n-A -t 10.0.0.1:80\n") == Outcome(0, VERSION, "")
    assert terminal.table.services() == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-S --json", "Illegal 'json' option with the 'save' command"),
        ("-A -t 10.0.0.1:80 --json", "Illegal 'json' option with the 'add-service' command"),
        ("-L --json --json", "multiple 'json' options specified"),
    ],
)
def test_json_is_for_listings_alone(terminal: Terminal, line: str, message: str) -> None:
    assert terminal.run(line) == Outcome(2, "", f"{message}\n")


def test_a_service_that_is_not_there_is_no_listing_in_json_either(terminal: Terminal) -> None:
    assert terminal.run("-L -t 10.0.0.1:80 --json") == Outcome(1, "", "No such service\n")


def test_zeroing_reaches_one_service_or_all(terminal: Terminal) -> None:
    zeroed: list[ServiceKey | None] = []
    terminal.table.zero = zeroed.append  # type: ignore[assignment,method-assign]
    terminal.run("-Z")
    terminal.run("-Z -f 5 -6")
    assert [str(key) for key in zeroed] == ["None", "FWM 5 IPv6"]


def script(services: int, servers: int) -> str:
    lines = []
    for number in range(services):
        vip = f"10.1.{number >> 8}.{number & 255}:80"
        lines.append(f"-A -t {vip} -s wlc\n")
        lines += [f"-a -t {vip} -r 172.16.{number & 255}.{server}:80 -g -w 1\n" for server in range(1, servers + 1)]
    return "".join(lines)


def test_ten_thousand_real_servers_are_restored_and_listed_in_no_time(terminal: Terminal) -> None:
    start = time.process_time()
    assert terminal.run("-R", script(1000, 10)).status == 0
    assert time.process_time() - start < 1.0
    states = terminal.table.services()
    terminal.table.services = lambda: states  # type: ignore[method-assign]
    start = time.process_time()
    assert terminal.run("-L -n").stdout.count("\n") == 3 + 1000 + 10_000
    assert time.process_time() - start < 0.15
