"""The house rules of ARCHITECTURE.md that a machine can hold the tree against."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "directrix"

FLOORS = {
    "cli": 6,
    "director": 5,
    "ipvsadm": 4,
    "marks": 4,
    "draining": 4,
    "explain": 4,
    "trace": 4,
    "doctor": 4,
    "web": 4,
    "metrics": 4,
    "top": 4,
    "table": 3,
    "lab": 3,
    "scheduling": 2,
    "keepalived": 2,
    "checks": 2,
    "health": 2,
    "vrrp": 2,
    "sync": 2,
    "realserver": 2,
    "vips": 2,
    "lvs": 1,
    "system": 1,
}

TEXT_SUFFIXES = {"", ".c", ".cfg", ".h", ".ini", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}


def rooms_imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and room of every import of a room of ours, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "."
            elif node.module == "directrix":
                names = [f"directrix.{alias.name}" for alias in node.names]
            else:
                names = [node.module or ""]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "directrix" and rest and not rest.startswith("__"):
                yield node.lineno, rest.partition(".")[0]


def faults_of(room: str, source: str) -> list[str]:
    """What is wrong with the imports of a module of `room`."""
    faults = []
    for line, imported in rooms_imported(source):
        if imported == ".":
            faults.append(f"line {line}: a relative import; write the room's name")
        elif imported not in FLOORS:
            faults.append(f"line {line}: {imported} is no room; give it a floor in ARCHITECTURE.md and here")
        elif imported != room and FLOORS[imported] >= FLOORS[room]:
            faults.append(f"line {line}: {room} (floor {FLOORS[room]}) imports {imported} (floor {FLOORS[imported]})")
    return faults


def tracked_files() -> list[Path]:
    """Every file of the project that is not made from others."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        if path.suffix in TEXT_SUFFIXES and path != Path(__file__).resolve():
            yield path, path.read_text(errors="replace")


def test_every_room_imports_only_from_floors_below_it() -> None:
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        room = parts[0] if len(parts) > 1 else "cli"  # what stands at the top only leads into the command line
        if room not in FLOORS:
            faults.append(f"{path.relative_to(ROOT)}: {room} is no room; give it a floor in ARCHITECTURE.md and here")
            continue
        faults += [f"{path.relative_to(ROOT)}: {fault}" for fault in faults_of(room, path.read_text())]
    assert faults == []


def test_an_import_that_goes_up_or_sideways_is_noticed_even_inside_a_function() -> None:
    assert faults_of("table", "def f():\n    from directrix.cli.main import main\n")
    assert faults_of("table", "from directrix import lab\n")
    assert faults_of("lvs", "from . import addresses\n")
    assert faults_of("table", "from directrix.nowhere import x\n")
    assert not faults_of("table", "import directrix.lvs\nfrom directrix.table import memory\nimport os\n")


def test_architecture_md_puts_every_room_on_the_floor_that_is_tested_here() -> None:
    rows = re.findall(r"^\| (\d) \| ([^|]+) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    written = {room: int(floor) for floor, rooms in rows for room in re.findall(r"`(\w+)/`", rooms)}
    standing = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert written == FLOORS
    assert standing <= FLOORS.keys()


def test_every_kernel_source_names_its_licence_in_the_first_line() -> None:
    sources = [path for path in (ROOT / "bpf").rglob("*") if path.suffix in {".c", ".h"}]
    assert sources
    bare = [path for path in sources if "SPDX-License-Identifier: GPL-2.0" not in path.read_text().partition("\n")[0]]
    assert bare == []


def test_no_file_names_a_directory_of_the_machine_it_was_written_on() -> None:
    private = re.compile(r"(?<![\w.])/(?:home|Users|work)/\w")
    assert [path for path, text in texts() if private.search(text)] == []


def test_no_file_names_a_package_registry() -> None:
    registry = re.compile(r"\b(?:pypi\.(?:org|python)|pythonhosted|deb\.debian\.org|docker\.io|ghcr\.io|npmjs)", re.I)
    assert [path for path, text in texts() if registry.search(text)] == []


def test_no_file_is_left_half_done() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
    assert [path for path, text in texts() if marks.search(text)] == []
