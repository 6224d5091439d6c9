"""`-R --atomic`: every line or none, and a word on the line that is wrong."""

from __future__ import annotations

import errno
import io

import pytest

from directrix.ipvsadm.command import main
from directrix.lvs import RealServer, ServiceKey, TableError, Timeouts, VirtualService
from directrix.lvs.errors import NotSupportedYet
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable

BEFORE = """\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.0.0.11:80 -g -w 1
-a -t 10.0.0.1:80 -r 10.0.0.12:80 -g -w 2
-a -t 10.0.0.1:80 -r 10.0.0.13:80 -g -w 3
-A -u 10.0.0.1:53 -s rr
"""


class Watched(MemoryTable):
    """A table that notes how it was opened, begun and committed."""

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


def run(table: Watched, stdin: str, *words: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(words or ("-R", "--atomic"), table.open, io.StringIO(stdin), stdout, stderr)
    return status, stdout.getvalue(), stderr.getvalue()


def listed(table: Watched) -> str:
    """The services, sorted, and the real servers of one in the table's order."""
    return run(table, "", "-L", "-n")[1] + run(table, "", "-L", "-n", "--nosort", "-t", "10.0.0.1:80")[1]


@pytest.fixture
def table() -> Watched:
    table = Watched()
    assert run(table, BEFORE, "-R") == (0, "", "")
    table.seen.clear()
    return table


def test_lines_that_are_right_are_carried_out_as_without_it(table: Watched) -> None:
    text = """\
ipvsadm -E -t 10.0.0.1:80 -s lc

   -d -t 10.0.0.1:80 -r 10.0.0.12
-e -t 10.0.0.1:80 -r 10.0.0.11 -w 9
-D -u 10.0.0.1:53
-A -f 5 -s rr
-a -f 5 -r 10.0.0.11
--set 77 0 0
"""
    other = Watched()
    run(other, BEFORE, "-R")
    run(other, text, "-R")
    assert run(table, text) == (0, "", "")
    assert listed(table) == listed(other)
    assert table.timeouts() == other.timeouts() == Timeouts(77, 120, 300)


def test_what_is_there_stays_unless_the_lines_clear_it(table: Watched) -> None:
    assert run(table, "-A -t 10.0.0.1:80\n") == (
        255,
        "",
        "line 1, column 1: Service already exists; nothing was changed\n",
    )
    assert run(table, "-C\n" + BEFORE) == (0, "", "")
    assert run(table, "", "-S", "-n")[1] == BEFORE


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("-a -t 10.0.0.1:80 -r 10.0.0.14 -w x", 2, "column 35: illegal weight specified"),
        ("  -a -t 10.0.0.1:80 -r 10.0.0.14 -wx", 2, "column 34: illegal weight specified"),
        ("ipvsadm -A -t 80", 2, "column 15: illegal virtual server address[:port] specified"),
        ("-A -t 10.0.0.2:80 -q", 255, "column 19: -q: unknown option"),
        ("-A -t", 255, "column 4: -t: missing argument"),
        ("-A -t 10.0.0.2:80 # the web", 2, "column 19: unexpected argument #"),
        ("# the web", 255, "column 1: Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
        ("-A -t 10.0.0.2:80 -L", 2, "column 19: invalid option `-L'"),
        ("-A -t 10.0.0.2:80 -w 1", 2, "column 1: Illegal 'weight' option with the 'add-service' command"),
        ("-A -6 -f 1", 2, "column 4: -6 used before -f"),
        ("-A -t 10.0.0.4:80 -s nonsense", 255, "column 1: Scheduler or persistence engine not found"),
        ("-d -t 10.0.0.1:80 -r 10.0.0.99", 255, "column 1: No such destination"),
        ("-a -t 10.0.0.9:80 -r 10.0.0.11", 255, "column 1: Service not defined"),
        ("-a -t 10.0.0.2:80 -r 10.0.0.11 -x 1 -y 2", 255, "column 1: Numerical result out of range"),
        ("-L -n", 2, "column 1: the 'list' command can't be taken back, so it may not stand here"),
        ("-Z", 2, "column 1: the 'zero' command can't be taken back, so it may not stand here"),
        ("-R", 2, "column 1: the 'restore' command can't be taken back, so it may not stand here"),
        ("-v", 2, "column 1: the 'version' command can't be taken back, so it may not stand here"),
        (
            "--stop-daemon master",
            2,
            "column 1: the 'stop-daemon' command can't be taken back, so it may not stand here",
        ),
    ],
)
def test_one_that_is_wrong_is_told_with_its_place_and_nothing_is_changed(
    table: Watched, line: str, status: int, told: str
) -> None:
    before = listed(table)
    text = f"-C\n\n-A -t 10.0.0.2:80\n{line}\n-A -t 10.0.0.3:80\n" if "10.0.0.1:" not in line else f"\n\n\n{line}\n"
    assert run(table, text) == (status, "", f"line 4, {told}; nothing was changed\n")
    assert listed(table) == before
    assert table.timeouts() == Timeouts()


def test_a_last_line_without_newline_counts_even_if_it_ends_in_blanks(table: Watched) -> None:
    assert run(table, "-D -u 10.0.0.1:53\n-A -t 10.0.0.2:80  ") == (0, "", "")
    assert "10.0.0.2:80" in listed(table)


def test_the_table_is_made_only_for_lines_that_it_would_take() -> None:
    table = Watched()
    run(table, "-A -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n")
    assert table.seen == ["open"]
    run(table, "-A -t 80\n")
    assert table.seen == ["open"]
    table.seen.clear()
    assert run(table, "") == (0, "", "")
    assert table.seen == []
    assert run(table, "-C\n") == (0, "", "")
    assert table.seen == ["open", "begin", "commit"]
    table.seen.clear()
    assert run(table, "-A -t 10.0.0.1:80\n") == (0, "", "")
    assert table.seen == ["open", "create", "begin", "commit"]


def test_what_the_table_does_not_support_is_refused_beforehand() -> None:
    class Young(Watched):
        def vet_service(self, service: VirtualService) -> None:
            if service.one_packet:
                raise NotSupportedYet("one-packet scheduling")

        def vet_server(self, key: ServiceKey, server: RealServer) -> None:
            if server.weight > 9:
                raise NotSupportedYet("so much weight")

    table = Young()
    words = "is not supported by this table yet; nothing was changed\n"
    assert (
        run(table, "-A -t 10.0.0.1:80\n-A -u 10.0.0.1:53 -o\n")[2] == f"line 2, column 1: one-packet scheduling {words}"
    )
    text = "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.0.11 -w 10\n"
    assert run(table, text)[2] == f"line 2, column 1: so much weight {words}"
    assert table.services() == []


class Surprising(Watched):
    """A table that refuses the address 10.0.0.99 when it comes to it, as the kernel a broadcast address of the host."""

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        if str(server.address) == "10.0.0.99":
            raise TableError(errno.EINVAL)
        super().add_server(key, server)


@pytest.mark.parametrize(
    "text",
    [
        "--set 1 2 3\n-C\n",
        "-D -t 10.0.0.1:80\n-A -t 10.0.0.1:80 -s lc -p 60\n-a -t 10.0.0.1:80 -r 10.0.0.12 -w 7\n",
        "-d -t 10.0.0.1:80 -r 10.0.0.11\n-a -t 10.0.0.1:80 -r 10.0.0.11 -w 5\n-E -u 10.0.0.1:53 -s sh -o\n",
        "-e -t 10.0.0.1:80 -r 10.0.0.12 -w 0\n-d -t 10.0.0.1:80 -r 10.0.0.13\n-A -f 7\n",
    ],
)
def test_what_was_done_before_a_refusal_nobody_foresaw_is_taken_back(text: str) -> None:
    table = Surprising()
    run(table, BEFORE, "-R")
    before = listed(table)
    text += "-A -t 10.0.0.9:80\n-a -t 10.0.0.9:80 -r 10.0.0.99\n"
    status, out, told = run(table, text)
    assert (status, out) == (255, "")
    assert told == (
        f"line {text.count(chr(10))}, column 1: Invalid operation.  Possibly wrong module version, "
        "address not unicast, ...; nothing was changed\n"
    )
    assert listed(table) == before
    assert table.timeouts() == Timeouts()


def test_if_it_can_not_be_taken_back_that_is_said() -> None:
    class Stubborn(Surprising):
        def delete_service(self, key: ServiceKey) -> None:
            raise TableError(errno.EBUSY, "busy")

    table = Stubborn()
    told = run(table, "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.0.99\n")
    assert told == (255, "", "what was done could not be taken back: busy\n")


def test_a_commit_that_fails_is_a_refusal() -> None:
    class Full(Watched):
        def commit(self) -> None:
            raise TableError(errno.ENOSPC, "the table is full")

    assert run(Full(), "-A -t 10.0.0.1:80\n") == (255, "", "the table is full\n")


def test_it_belongs_to_a_restore_alone(table: Watched) -> None:
    assert run(table, "", "-S", "--atomic")[2] == "Illegal 'atomic' option with the 'save' command\n"
    assert run(table, "-R --atomic\n", "-R")[0] == 255
