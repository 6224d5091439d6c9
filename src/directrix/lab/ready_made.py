"""The labs that come with directrix, and finding the lab a person means."""

from __future__ import annotations

import re
from pathlib import Path

from directrix.lab.errors import LabError
from directrix.lab.reading import suggest

DIRECTORY = Path(__file__).parent / "labs"
DEFAULT = "one-segment"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def ready_made() -> list[Path]:
    """The lab files that come with directrix, by name."""
    return sorted(DIRECTORY.glob("*.toml"))


def find(wanted: str) -> Path:
    """The lab file meant by a word: a file if it looks like one, else a ready-made lab.

    Raises:
        LabError: there is none.
    """
    if "/" in wanted or wanted.endswith(".toml"):
        return Path(wanted)
    known = {path.stem: path for path in ready_made()}
    if wanted in known:
        return known[wanted]
    raise LabError(
        f"there is no ready-made lab {wanted!r}{suggest(wanted, known)}",
        f"there are: {', '.join(known)}; a file's name has a slash in it or ends in .toml",
    )


def check_name(name: str) -> str:
    """The name itself, if it can name a lab.

    Raises:
        LabError: it can't.
    """
    if not _NAME.fullmatch(name):
        raise LabError(
            f"{name!r} can't name a lab",
            "use small letters, digits and dashes, at most 40, not a dash first; --name gives another name",
        )
    return name
