"""The manual says what there is: a page for every command, every option on its page, no broken link."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from directrix.cli.completion import command_line
from directrix.cli.grammar import Command

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "man").glob("*.md"))
COMMANDS = command_line().commands

SECTIONS = ["SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"]


def page_of(command: Command) -> str:
    """The source of a command's man page."""
    (page,) = (ROOT / "docs" / "man").glob(f"{'-'.join(command.path)}.[18].md")
    return page.read_text()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path[-1])
def test_every_command_has_a_page_and_is_named_on_the_first_one(command: Command) -> None:
    overview = page_of(command_line())
    assert page_of(command)
    assert f"{{manpage}}`{'-'.join(command.path)}(" in overview


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path[-1])
def test_every_option_is_on_its_commands_page(command: Command) -> None:
    page = page_of(command).replace("\\", "")
    missing = [
        option.spellings
        for below in command.walk()
        for option in below.options
        if "--help" not in option.spellings and not any(f"**{spelling}**" in page for spelling in option.spellings)
    ]
    assert missing == []


def test_no_page_tells_of_an_option_that_is_not_there() -> None:
    for command in COMMANDS:
        known = {spelling for below in command.walk() for option in below.options for spelling in option.spellings}
        told = set(re.findall(r"\*\*\\?(--[\w-]+)\*\*", page_of(command).replace("\\", "")))
        assert told <= known, command.path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_the_sections_of_a_man_page(page: Path) -> None:
    text = page.read_text()
    name, section = page.stem.rsplit(".", 1)
    assert f"# {name}({section})\n" in text
    wanted = SECTIONS if section != "5" else [name for name in SECTIONS if name != "EXIT STATUS"]
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [name for name in found if name in wanted] == wanted
    known = {path.stem.rsplit(".", 1)[0] for path in PAGES}
    references = set(re.findall(r"\{manpage\}`(directrix[\w-]*)\(", text))
    assert references <= known


@pytest.mark.parametrize("builder", ["html", "man"])
def test_the_manual_is_built_without_a_warning(builder: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", builder]
    run = subprocess.run(
        [*command, "--doctree-dir", str(tmp_path / "doctrees"), "docs", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    if builder == "man":
        built = {path.name for path in (tmp_path / "out").glob("*.*")}
        assert built == {page.stem for page in PAGES}
