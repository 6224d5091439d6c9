"""The programs a configuration names: as whom they run, and whether they are to be trusted."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from directrix.keepalived.values import Configuration, Fifo, GlobalDefinitions, MiscCheck, Script
from directrix.vrrp.values import Command
from directrix.vrrp.values import Fifo as VrrpFifo

USUAL_USER = "keepalived_script"
"""As whom scripts run if nobody is named and there is such a user (keepalived)."""


def command(script: Script, settings: GlobalDefinitions) -> Command:
    """What is run for a script, with its user worked out; empty stands for our own."""
    if script.user:
        return Command(script.words, script.user, script.group)
    user, group = settings.script_user, settings.script_group
    if not user and _is_user(USUAL_USER):
        user, group = USUAL_USER, ""
    return Command(script.words, user, group)


def maybe_command(script: Script | None, settings: GlobalDefinitions) -> Command | None:
    """The same; None for none."""
    return None if script is None else command(script, settings)


def fifo(wanted: Fifo, settings: GlobalDefinitions) -> VrrpFifo:
    """A named pipe with its owner and reader worked out."""
    return VrrpFifo(wanted.path, wanted.user, wanted.group, maybe_command(wanted.script, settings))


def scripts_of(configuration: Configuration) -> list[Script]:
    """All programs a configuration may have run, each once."""
    settings = configuration.globals
    found: list[Script | None] = [settings.startup_script, settings.shutdown_script]
    for virtual in configuration.virtual_servers:
        found += [virtual.quorum_up, virtual.quorum_down]
        for server in virtual.real_servers:
            found += [server.notify_up, server.notify_down]
            found += [check.misc_path for check in server.checks if isinstance(check, MiscCheck)]
    for notify in (
        *(instance.notify for instance in configuration.instances),
        *(group.notify for group in configuration.sync_groups),
    ):
        found += [notify.master, notify.backup, notify.fault, notify.stop, notify.deleted, notify.any]
        found.append(notify.master_rx_lower_pri)
    found += [script.script for script in configuration.scripts]
    return list(dict.fromkeys(script for script in found if script is not None))


def faults(wanted: Command) -> list[str]:
    """Why a command can't be run: nobody of that name, nothing there, nothing that can be executed."""
    found = []
    if wanted.user and not _is_user(wanted.user):
        found.append(f"{wanted.words[0]}: there is no user {wanted.user!r} to run it as")
    if wanted.group and not _is_group(wanted.group):
        found.append(f"{wanted.words[0]}: there is no group {wanted.group!r} to run it as")
    path = Path(wanted.words[0])
    if path.is_absolute() and not os.access(path, os.X_OK):
        found.append(f"{path} {'is not executable' if path.exists() else 'is not there'}")
    return found


def changeable_by_others(wanted: Command) -> Path | None:
    """What of a root's script others than root may change (`enable_script_security`): it, or a directory above it."""
    if wanted.user not in ("", "root", "0"):
        return None
    path = Path(os.path.realpath(wanted.words[0]))
    for place in (path, *path.parents):
        try:
            status = place.stat()
        except OSError:
            return None
        shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_uid or (status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not shared):
            return place
    return None


def _is_user(name: str) -> bool:
    try:
        pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrgid(int(name)) if name.isdigit() else grp.getgrnam(name)
    except KeyError:
        return False
    return True
