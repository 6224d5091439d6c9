"""Compiles the eBPF programs: each `*.bpf.c` into an object of the Python package, in the room that loads it.

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
ROOMS = {"decapsulate.bpf": Path("src/directrix/realserver")}
TARGET = Path("src/directrix/table/xdp")
"""Where objects go that ROOMS has no other place for."""

# v3 is the first instruction set with atomics that return a value; Linux 6.1 runs all of it.
FLAGS = ("-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror")
DESCRIBED = "-g"
"""Types are told to the kernel, which needs them for maps; not in what has to be short: it travels inside a command."""


class BuildError(Exception):
    """The object can't be made; the message says why and what to do."""


def build(root: Path) -> list[Path]:
    """Compile what any source is newer than; answer the paths of all objects under `root`.

    Raises:
        BuildError: a source or the compiler is missing, or a source does not compile.
    """
    if not (root / SOURCE).is_file():
        raise BuildError(f"{SOURCE} is missing under {root}: this is not a complete source tree of directrix")
    sources = sorted((root / "bpf").glob("*.bpf.c"))
    for source in sources:
        if not is_fresh(root, object_of(root, source)):
            compile_object(root, source)
    return [object_of(root, source) for source in sources]


def object_of(root: Path, source: Path) -> Path:
    """Where the object of a source goes."""
    return root / ROOMS.get(source.stem, TARGET) / f"{source.stem}.o"


def is_fresh(root: Path, target: Path) -> bool:
    """Whether the object is there and not older than anything it may be made from."""
    try:
        built = target.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return all(source.stat().st_mtime_ns <= built for source in (root / "bpf").rglob("*") if source.is_file())


def compile_object(root: Path, source: Path) -> None:
    """Compile, and put the object in place whole or not at all.

    Raises:
        BuildError: see `build`.
    """
    name = source.relative_to(root)
    clang = os.environ.get("CLANG", "clang")
    if shutil.which(clang) is None:
        raise BuildError(
            f"{clang} was not found, and the eBPF data plane ({name}) can't be compiled without it; "
            "install clang and libbpf-dev (Debian: apt-get install clang libbpf-dev), or name another clang in CLANG"
        )
    target = object_of(root, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    # The map keeps the builder's directory out of the debug information: same sources, same object.
    paths = (f"-ffile-prefix-map={root}=.", *header_directory())
    described = () if source.stem in ROOMS else (DESCRIBED,)
    command = (clang, *FLAGS, *described, *paths, "-c", str(name), "-o", str(partial))
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BuildError(f"{name} does not compile:\n{' '.join(command)}\n{run.stderr}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def header_directory() -> tuple[str, ...]:
    """Where Debian keeps <asm/types.h>: clang looks there for the host's target, not for bpf."""
    directory = Path(f"/usr/include/{os.uname().machine}-linux-gnu")
    return (f"-I{directory}",) if (directory / "asm").is_dir() else ()


def main() -> int:
    """Build the checkout this file is in; the objects' paths go to stdout."""
    try:
        print(*build(Path(__file__).resolve().parent.parent), sep="\n")
    except BuildError as error:
        print(f"build-bpf: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
