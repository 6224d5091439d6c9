"""Compiles the data plane: `directrix.bpf.c` into the object that the Python package loads.

Standard library only: the build hook runs it inside pip's empty build environment, and
`scripts/build-bpf` runs it from a checkout that has no virtual environment yet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path("bpf/directrix.bpf.c")
OBJECT = Path("src/directrix/table/xdp/directrix.bpf.o")

# v3 is the first instruction set with atomics that return a value; Linux 6.1 runs all of it.
FLAGS = ("-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror")


class BuildError(Exception):
    """The object can't be made; the message says why and what to do."""


def build(root: Path) -> Path:
    """Compile if any source is newer than the object; answer the object's path under `root`.

    Raises:
        BuildError: a source or the compiler is missing, or the source does not compile.
    """
    target = root / OBJECT
    if not is_fresh(root):
        compile_object(root)
    return target


def is_fresh(root: Path) -> bool:
    """Whether the object is there and not older than anything it is made from."""
    try:
        built = (root / OBJECT).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return all(source.stat().st_mtime_ns <= built for source in (root / "bpf").rglob("*") if source.is_file())


def compile_object(root: Path) -> None:
    """Compile, and put the object in place whole or not at all.

    Raises:
        BuildError: see `build`.
    """
    if not (root / SOURCE).is_file():
        raise BuildError(f"{SOURCE} is missing under {root}: this is not a complete source tree of directrix")
    clang = os.environ.get("CLANG", "clang")
    if shutil.which(clang) is None:
        raise BuildError(
            f"{clang} was not found, and the eBPF data plane ({SOURCE}) can't be compiled without it; "
            "install clang and libbpf-dev (Debian: apt-get install clang libbpf-dev), or name another clang in CLANG"
        )
    target = root / OBJECT
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    # The map keeps the builder's directory out of the debug information: same sources, same object.
    paths = (f"-ffile-prefix-map={root}=.", *header_directory())
    command = (clang, *FLAGS, *paths, "-c", str(SOURCE), "-o", str(partial))
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BuildError(f"{SOURCE} does not compile:\n{' '.join(command)}\n{run.stderr}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def header_directory() -> tuple[str, ...]:
    """Where Debian keeps <asm/types.h>: clang looks there for the host's target, not for bpf."""
    directory = Path(f"/usr/include/{os.uname().machine}-linux-gnu")
    return (f"-I{directory}",) if (directory / "asm").is_dir() else ()


def main() -> int:
    """Build the checkout this file is in; the object's path goes to stdout."""
    try:
        print(build(Path(__file__).resolve().parent.parent))
    except BuildError as error:
        print(f"build-bpf: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
