"""`directrix install-names`: ipvsadm, ipvsadm-save and ipvsadm-restore as names of ours, for existing scripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "install ipvsadm, ipvsadm-save and ipvsadm-restore as names of directrix"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of `directrix install-names`."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="where; it has to be there")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("-f", "--force", action="store_true", help="replace programs of these names that are not ours")
    way.add_argument("-r", "--remove", action="store_true", help="take the names away again; those of others stay")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")


def run(args: argparse.Namespace) -> int:
    """Install or remove, and say what was done."""
    from directrix.ipvsadm import installing

    directory: Path = args.directory.absolute()
    names = installing.look(directory)
    if args.remove:
        done, paths = "removed", names.ours
    else:
        installing.check(names, force=args.force)
        done, paths = "installed", (*names.ours, *names.others, *names.free)
    if not args.dry_run:
        if args.remove:
            installing.remove(names)
        else:
            installing.install(names)
    for path in sorted(paths):
        print(f"{path}: {'would be ' if args.dry_run else ''}{done}", file=sys.stderr)
    if args.remove:
        for path in names.others:
            print(f"{path}: left alone, it is not one of directrix's names", file=sys.stderr)
    elif not args.dry_run:
        _tell_of_another(directory)
    return 0


def _tell_of_another(directory: Path) -> None:
    """Say so if a shell that looks for ipvsadm finds another one, or none."""
    import shutil

    found = shutil.which("ipvsadm")
    if found is None:
        print(f"{directory} is not in PATH", file=sys.stderr)
    elif not (directory / "ipvsadm").samefile(found):
        print(f"{directory} comes after {Path(found).parent} in PATH, or is not there", file=sys.stderr)
