"""Who may have labs."""

from __future__ import annotations

import os

from directrix.lab.errors import LabError


def require_root() -> None:
    """Take care that we are root.

    Raises:
        LabError: we are not.
    """
    if os.geteuid() != 0:
        raise LabError("labs are made of network namespaces, and those need root", "try again with sudo")
