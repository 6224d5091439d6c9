"""Whether this machine can carry a table at all."""

from __future__ import annotations

import os
from pathlib import Path

from directrix.lvs.errors import TableUnavailable

OBJECT = Path(__file__).with_name("directrix.bpf.o")
"""The compiled data plane, shipped with the package."""

TRACE_OBJECT = Path(__file__).with_name("trace.bpf.o")
"""The same with eyes: what is attached while somebody traces."""

OLDEST_KERNEL = (6, 1)


def check_host() -> None:
    """See whether this machine can carry a table.

    Raises:
        TableUnavailable: no root, kernel too old, no compiled data plane; says what to do.
    """
    if os.geteuid() != 0:
        raise TableUnavailable("Permission denied (you must be root)")
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < OLDEST_KERNEL:
        raise TableUnavailable(f"the kernel is too old (Linux {release})", "directrix needs Linux 6.1 or newer")
    for compiled in (OBJECT, TRACE_OBJECT):
        if not compiled.exists():
            raise TableUnavailable(
                f"the compiled data plane is missing ({compiled})", "build it: pip install . or scripts/build-bpf"
            )
