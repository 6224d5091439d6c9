"""The data plane's compilation, as `scripts/build-bpf` and the build hook do it."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include "part.h"
int answer(void *context) { return ANSWER; }
"""


@pytest.fixture
def compiler() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "bpf" / "build.py"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "bpf").mkdir()
    (tmp_path / "bpf" / "directrix.bpf.c").write_text(SOURCE)
    (tmp_path / "bpf" / "part.h").write_text("#define ANSWER 42\n")
    return tmp_path


def test_the_object_is_made_where_the_package_looks_for_it(compiler: dict[str, Any], tree: Path) -> None:
    [target] = compiler["build"](tree)
    assert target == tree / "src/directrix/table/xdp/directrix.bpf.o"
    assert target.read_bytes().startswith(b"\x7fELF")
    assert [path.name for path in target.parent.iterdir()] == ["directrix.bpf.o"]


def test_the_object_does_not_tell_where_it_was_built(compiler: dict[str, Any], tree: Path) -> None:
    assert str(tree).encode() not in compiler["build"](tree)[0].read_bytes()


def test_every_source_that_ends_so_has_an_object(compiler: dict[str, Any], tree: Path) -> None:
    (tree / "bpf" / "other.bpf.c").write_text('#include "directrix.bpf.c"\n')
    targets = compiler["build"](tree)
    assert [path.name for path in targets] == ["directrix.bpf.o", "other.bpf.o"]
    assert all(path.read_bytes().startswith(b"\x7fELF") for path in targets)


def test_only_a_newer_source_brings_a_new_object(compiler: dict[str, Any], tree: Path) -> None:
    [target] = compiler["build"](tree)
    before = target.stat().st_mtime_ns
    compiler["build"](tree)
    assert target.stat().st_mtime_ns == before
    header = tree / "bpf" / "part.h"
    header.write_text("#define ANSWER 43\n")
    os.utime(header, ns=(before + 1, before + 1))
    compiler["build"](tree)
    assert target.stat().st_mtime_ns > before


def test_a_source_with_a_mistake_is_refused_and_the_old_object_stays(compiler: dict[str, Any], tree: Path) -> None:
    [target] = compiler["build"](tree)
    old = target.read_bytes()
    header = tree / "bpf" / "part.h"
    header.write_text("#define ANSWER unheard_of\n")
    os.utime(header, ns=(target.stat().st_mtime_ns + 1,) * 2)
    with pytest.raises(compiler["BuildError"], match="unheard_of"):
        compiler["build"](tree)
    assert target.read_bytes() == old
    assert [path.name for path in target.parent.iterdir()] == ["directrix.bpf.o"]


def test_without_clang_it_is_said_what_to_install(
    compiler: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tree))
    with pytest.raises(compiler["BuildError"], match="apt-get install clang"):
        compiler["build"](tree)


def test_a_tree_without_the_source_is_called_incomplete(compiler: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(compiler["BuildError"], match="not a complete source tree"):
        compiler["build"](tmp_path)
