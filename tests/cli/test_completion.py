"""The completion scripts: bash's by sourcing it, the others by their shells where these are installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from directrix.cli.completion import SHELLS, command_line
from directrix.cli.main import NAMES
from directrix.cli.shells import SCRIPTS
from directrix.ipvsadm.popt import OPTIONS

Complete = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Complete:
    """What bash offers for the last word of a line."""
    place = tmp_path_factory.mktemp("completion")
    here = place / "here"
    here.mkdir()
    (here / "mine.toml").touch()
    script = place / "directrix.bash"
    script.write_text(SCRIPTS["bash"](command_line()))

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        ask = (
            f"source {shlex.quote(str(script))}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
            f"COMP_CWORD={len(words) - 1}; _directrix; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        run = subprocess.run(["bash", "-uec", ask], cwd=here, capture_output=True, text=True, check=False)
        assert run.stderr == ""
        return run.stdout.split()

    return offered


def test_the_first_word_is_one_of_the_commands(complete: Complete) -> None:
    assert complete("directrix ") == list(NAMES)
    assert complete("directrix comp") == ["completion"]
    assert complete("directrix --v") == ["--version"]


def test_the_table_can_be_chosen_before_the_command(complete: Complete) -> None:
    assert complete("directrix --table ") == ["auto", "xdp", "ipvs"]
    assert complete("directrix --table ipvs ") == list(NAMES)
    assert complete("directrix --table ipvs ipvsadm --edit-ser") == ["--edit-service", "--edit-server"]


def test_a_configuration_is_a_file(complete: Complete) -> None:
    assert complete("directrix run --use-file mi") == ["mine.toml"]
    assert complete("directrix config show -f mi") == ["mine.toml"]
    assert complete("directrix config ") == ["show", "keywords"]


def test_a_command_is_followed_by_its_own_commands_and_options(complete: Complete) -> None:
    assert complete("directrix lab s") == ["status", "show"]
    assert complete("directrix lab status --") == ["--help", "--json"]
    assert complete("directrix completion ") == ["bash", "zsh", "fish"]


def test_packets_to_explain_and_filters_of_a_trace_have_their_words(complete: Complete) -> None:
    assert complete("directrix explain ") == ["tcp", "udp", "sctp"]
    assert "lo" in complete("directrix explain tcp 192.0.2.1:1 10.0.0.1:80 --in l")
    assert complete("directrix trace v") == ["verdict"]
    assert "--snaplen" in complete("directrix trace --")


def test_every_option_of_ipvsadm_is_offered(complete: Complete) -> None:
    assert set(complete("directrix ipvsadm --")) == {f"--{option.long}" for option in OPTIONS}
    assert complete("directrix ipvsadm --edit-") == ["--edit-service", "--edit-server"]


def test_what_is_known_of_an_argument_is_offered(complete: Complete) -> None:
    assert complete("directrix ipvsadm -A -t 10.0.0.1:80 -s wr") == ["wrr"]
    assert complete("directrix ipvsadm -A -t 10.0.0.1:80 --scheduler wl") == ["wlc"]
    assert complete("directrix ipvsadm --start-daemon m") == ["master"]
    assert "lo" in complete("directrix ipvsadm --mcast-interface l")


def test_nothing_is_offered_where_nothing_can_be_known(complete: Complete) -> None:
    assert complete("directrix ipvsadm -A -t ") == []
    assert complete("directrix lab exec ") == []
    assert complete("directrix nonsense ") == list(NAMES)


def test_a_lab_to_build_is_a_ready_made_one_or_a_file(complete: Complete) -> None:
    assert set(complete("directrix lab up ")) == {"failover", "nat", "one-segment", "routed", "tunnel", "mine.toml"}
    assert set(complete("directrix lab show ")) == {"failover", "nat", "one-segment", "routed", "tunnel"}


def test_every_option_of_ipvsadm_is_described() -> None:
    ipvsadm = next(command for command in command_line().commands if command.path[-1] == "ipvsadm")
    assert {option.spellings[-1]: option.help for option in ipvsadm.options if not option.help} == {}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_by_the_command(shell: str) -> None:
    command = [sys.executable, "-m", "directrix", "completion", shell]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == SCRIPTS[shell](command_line())


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself_can_read_the_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell](command_line()))
    run = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_fish_is_told_every_option_in_its_own_spelling() -> None:
    told = SCRIPTS["fish"](command_line())
    for option in OPTIONS:
        spelt = f"-s {option.short} " if option.short else ""
        assert re.search(rf"directrix ipvsadm' .*{re.escape(spelt)}.*-l {option.long}\b", told), option


def test_an_unknown_shell_is_a_misuse() -> None:
    command = [sys.executable, "-m", "directrix", "completion", "cmd"]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False)
    assert run.returncode == 2
    assert "'cmd'" in run.stderr
