"""The `directrix` command: the right subcommand, quickly, and never a traceback for a user's mistake."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from directrix import __version__
from directrix.cli import main as cli
from directrix.lvs.errors import NoSuchService, TableUnavailable

PYTHON = [sys.executable, "-c"]


def stub(monkeypatch: pytest.MonkeyPatch, run: object) -> list[str]:
    """Put a subcommand in the place of every one; returns the names it was asked for by."""
    asked: list[str] = []

    def configure(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--number", type=int, default=0)

    def subcommand(name: str) -> object:
        asked.append(name)
        return SimpleNamespace(HELP=f"do what {name} does", configure=configure, run=run)

    monkeypatch.setattr(cli, "subcommand", subcommand)
    return asked


def test_a_subcommand_gets_its_words_and_gives_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stub(monkeypatch, lambda args: args.number)
    assert cli.main(["status", "--number", "3"]) == 3
    assert asked == ["status"]


def test_help_lists_every_subcommand_by_group(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(monkeypatch, None)
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"do what {name} does" in out for name in cli.NAMES)
    assert all(f"\n{title}:\n" in out for title in cli.GROUPS)


def test_without_words_help_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stub(monkeypatch, None)
    assert cli.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: directrix ")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"directrix {__version__}\n"


@pytest.mark.parametrize("word", ["upp", "--verbose", ""])
def test_a_word_that_is_no_command_is_a_misuse(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(monkeypatch, None)
    assert cli.main([word]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (TableUnavailable("no BPF here", "use Linux 6.1"), 2, "directrix: no BPF here; use Linux 6.1\n"),
        (NoSuchService("TCP 10.0.0.1:80"), 1, "directrix: there is no virtual service TCP 10.0.0.1:80\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_goes_wrong_by_nature_is_one_line_and_a_status(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(args: argparse.Namespace) -> int:
        raise error

    stub(monkeypatch, run)
    assert cli.main(["up"]) == status
    assert capsys.readouterr().err == words


def test_what_was_printed_before_an_error_of_the_system_is_not_lost() -> None:
    code = "from directrix.cli.main import guarded; exit(guarded(lambda: print('before') or open('/nowhere').close()))"
    done = subprocess.run([*PYTHON, code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "before\n")
    assert done.stderr == "directrix: /nowhere: No such file or directory\n"


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: argparse.Namespace) -> int:
        raise ZeroDivisionError

    stub(monkeypatch, run)
    with pytest.raises(ZeroDivisionError):
        cli.main(["up"])


def directrix(*words: str, **streams: int) -> subprocess.CompletedProcess[str]:
    code = "import sys; from directrix.cli.main import main; sys.exit(main(sys.argv[1:]))"
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run([*PYTHON, code, *words], text=True, check=False, **given)  # type: ignore[call-overload, no-any-return]


def test_a_reader_who_leaves_is_no_error_to_tell() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = directrix("ipvsadm", "-h", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_told_in_one_line() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = directrix("ipvsadm", "-h", stdout=full)
    os.close(full)
    assert (done.returncode, done.stderr) == (1, "directrix: No space left on device\n")


def test_closed_streams_are_empty_ones() -> None:
    code = "from directrix.cli.main import main; exit(main(['ipvsadm', '-v']))"
    script = f'"{sys.executable}" -c "{code}" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 0


def test_ipvsadm_words_are_left_as_they_are() -> None:
    assert directrix("ipvsadm", "--help").stdout.startswith("ipvsadm v1.31 ")
    assert directrix("ipvsadm", "--version").stdout.startswith("ipvsadm v1.31 ")
    done = directrix("ipvsadm", "-A", "--", "-t")
    assert (done.returncode, done.stderr) == (2, "unexpected argument -t\n")


def test_ipvsadm_starts_without_what_it_does_not_need() -> None:
    code = "import sys; from directrix.cli.main import main; main(['ipvsadm', '-v']); print(*sys.modules)"
    done = subprocess.run([*PYTHON, code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "directrix.ipvsadm.command" in loaded
    assert not loaded & {"argparse", "json", "asyncio", "pyroute2", "cffi", "logging", "subprocess"}


@pytest.fixture
def table_chosen(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What DIRECTRIX_TABLE was when `lab`, in whose place a stub stands, ran; it is unset before and after."""
    monkeypatch.setenv("DIRECTRIX_TABLE", "")
    seen: list[str | None] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(os.environ.get("DIRECTRIX_TABLE"))
        return 0

    stub(monkeypatch, run)
    return seen


@pytest.mark.parametrize("words", [["--table", "ipvs"], ["--table=ipvs"], ["--table", "xdp", "--table", "ipvs"]])
def test_the_table_is_chosen_before_the_subcommand(words: list[str], table_chosen: list[str | None]) -> None:
    assert cli.main([*words, "lab"]) == 0
    assert table_chosen == ["ipvs"]


@pytest.mark.parametrize("words", [["--table"], ["--table", "memory", "lab"], ["--table=", "lab"], ["--table", "lab"]])
def test_a_table_there_is_not_is_a_misuse(
    words: list[str], table_chosen: list[str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert table_chosen == []
    assert capsys.readouterr().err.endswith("--table takes auto, xdp, ipvs\n")


def test_the_environment_can_choose_no_other_table_either() -> None:
    command = [*PYTHON, "from directrix.cli.main import main; exit(main(['ipvsadm']))"]
    environment = {**os.environ, "DIRECTRIX_TABLE": "memory"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "directrix: there is no table 'memory'; DIRECTRIX_TABLE is one of auto, xdp, ipvs\n"


@pytest.mark.parametrize("name", cli.OF_OUR_TABLE)
def test_what_only_our_table_has_is_a_misuse_with_another_one(
    name: str, table_chosen: list[str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--table", "ipvs", name]) == 2
    assert table_chosen == []
    assert capsys.readouterr().err.startswith(f"directrix {name}: ")
    assert cli.main(["--table", "auto", name]) == 0
