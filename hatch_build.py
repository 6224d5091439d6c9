"""The build hook: puts the compiled data plane into the package, so that users need no compiler."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataPlaneHook(BuildHookInterface[Any]):
    """Compiles the eBPF object before a wheel, editable or not, is put together.

    There is no wheel without the object: where it can't be compiled, the build fails and says why.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        compiler = runpy.run_path(str(root / "bpf" / "build.py"))
        try:
            target: Path = compiler["build"](root)
        except compiler["BuildError"] as error:
            self.app.abort(f"directrix: {error}")
        # Git ignores the object, and hatchling leaves out what git ignores unless it is named here.
        build_data["artifacts"].append(f"/{target.relative_to(root)}")
