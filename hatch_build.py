"""The build hook: puts the compiled data plane and the man pages into the wheel.

Users need no compiler, and `man directrix` works where the wheel was installed.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataPlaneHook(BuildHookInterface[Any]):
    """Compiles the eBPF objects before a wheel, editable or not, is put together.

    There is no wheel without them: where one can't be compiled, the build fails and says why.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        # Git ignores the objects, and hatchling leaves out what git ignores unless it is named here.
        build_data["artifacts"] += [f"/{path.relative_to(root)}" for path in self._compile(root)]
        for page in self._man_pages(root):
            build_data["shared_data"][str(page)] = f"share/man/man{page.suffix[1:]}/{page.name}"

    def _compile(self, root: Path) -> list[Path]:
        compiler = runpy.run_path(str(root / "bpf" / "build.py"))
        try:
            targets: list[Path] = compiler["build"](root)
        except compiler["BuildError"] as error:
            self.app.abort(f"directrix: {error}")
        return targets

    def _man_pages(self, root: Path) -> list[Path]:
        pages = root / "build" / "man"
        command = [sys.executable, "-m", "sphinx", "--quiet", "--fresh-env", "--builder", "man"]
        subprocess.run([*command, "--doctree-dir", f"{pages}/.doctrees", "docs", str(pages)], cwd=root, check=True)
        return sorted(pages.glob("*.[1-8]"))
