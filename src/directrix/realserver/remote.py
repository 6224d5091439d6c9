"""Doing the same on other hosts, over the system's own ssh.

The other host needs Python 3.11 and `ip`, and directrix it needs not: the rooms that do the work are
plain Python, so they are sent along, as a zip archive on ssh's standard input. There it is kept in
memory for as long as the command runs.
"""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from directrix.system.host_error import HostError

_PACKAGE = Path(__file__).resolve().parent.parent
_SENT = ("*.py", "cli/*.py", "lvs/*.py", "realserver/**/*.py", "realserver/*.o", "system/**/*.py")

_RECEIVER = """
import os, sys
if sys.version_info < (3, 11):
    sys.exit("directrix: this host has Python %d.%d, and 3.11 or newer is needed" % sys.version_info[:2])
place = os.memfd_create("directrix")
with open(place, "wb", closefd=False) as file:
    file.write(sys.stdin.buffer.read())
sys.path.insert(0, "/proc/self/fd/%d" % place)
from directrix.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

_UNREACHABLE = 255
"""The exit status of ssh where ssh itself failed."""


def run_on(hosts: Sequence[str], words: Sequence[str]) -> int:
    """Run `directrix` with some words on hosts, one after the other; what they print is printed here.

    Returns the first exit status that is not 0. It stops there, so that not all of a cluster learns a mistake.

    Raises:
        HostError: there is no ssh, or it could not reach a host.
    """
    archive = packed()
    for host in hosts:
        if len(hosts) > 1:
            print(f"{host}:", file=sys.stderr, flush=True)
        done = _run(host, words, archive)
        if done.returncode != 0:
            return done.returncode
    return 0


def ask_all(hosts: Sequence[str], words: Sequence[str], *, as_json: bool) -> int:
    """Run what only asks on all hosts, whatever the others say.

    With `as_json` what several hosts print becomes one object, by host; null for one that could not be asked.

    Returns the first exit status that is not 0; a host that could not be asked counts as 1, and is told on stderr.
    """
    archive, first = packed(), 0
    answers: dict[str, object] = {}
    gather = as_json and len(hosts) > 1
    for host in hosts:
        if len(hosts) > 1 and not as_json:
            print(f"{host}:", file=sys.stderr, flush=True)
        try:
            done = _run(host, words, archive, stdout=subprocess.PIPE if gather else None)
            status = done.returncode
            if gather:
                answers[host] = json.loads(done.stdout) if done.stdout else None
        except HostError as error:
            print(f"directrix realserver: {error}", file=sys.stderr, flush=True)
            answers[host], status = None, 1
        first = first or status
    if gather:
        print(json.dumps(answers, indent=2))
    return first


def _run(
    host: str, words: Sequence[str], archive: bytes, stdout: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """One host.

    Raises:
        HostError: it is none, there is no ssh, or it could not be reached.
    """
    if host.startswith("-"):
        raise HostError(f"{host!r} is no host", "give a name or an address")
    command = f"python3 -c {shlex.quote(_RECEIVER)} {shlex.join(words)}"
    try:
        done = subprocess.run(["ssh", "--", host, command], input=archive, stdout=stdout, check=False)
    except OSError as error:
        raise HostError(f"ssh can't be run: {error.strerror}", "install the package openssh-client") from None
    if done.returncode == _UNREACHABLE:
        raise HostError(f"{host} was not reached by ssh", "what ssh says is above; ~/.ssh/config may tell more of it")
    if done.returncode == 127:
        raise HostError(f"{host} has no python3", "install Python 3.11 or newer there")
    return done


def packed() -> bytes:
    """The archive that is sent."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        paths = sorted({path for pattern in _SENT for path in _PACKAGE.glob(pattern)})
        # A package without __init__.py is found in an archive only by an entry of its directory's own.
        for directory in sorted({path.parent for path in paths}):
            archive.writestr(f"{_inside(directory)}/", b"")
        for path in paths:
            archive.write(path, _inside(path))
    return made.getvalue()


def _inside(path: Path) -> str:
    return str(Path("directrix") / path.relative_to(_PACKAGE))
