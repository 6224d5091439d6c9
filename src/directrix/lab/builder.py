"""Making a lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from directrix.lab import directing, nginx, plumbing, state
from directrix.lab.definition import SWITCH, Host, Lab, Role
from directrix.lab.errors import LabError
from directrix.lab.inside import run_own
from directrix.lab.privilege import require_root
from directrix.lab.state import HostState, LabState
from directrix.lab.teardown import clear
from directrix.realserver import preparing
from directrix.system import namespaces, sysctl
from directrix.system.commands import CommandFailed, ip, run
from directrix.system.host_error import HostError
from directrix.system.signals import uninterrupted

Progress = Callable[[str], None]
"""Told what is being done, in a few words."""


def build(lab: Lab, name: str, source: str, progress: Progress = lambda _: None) -> LabState:
    """Make a lab under a name. If that fails, or is interrupted, nothing of it is left.

    Raises:
        LabError: there is a lab of this name, a program is missing, or a step failed.
    """
    require_root()
    needed = {"ip": "iproute2"}
    if any(host.nginx for host in lab.hosts):
        needed["nginx"] = "nginx-light"
    if lab.keepalived:
        needed["setsid"] = "util-linux"
    require_programs(needed)
    with state.locked(name) as lock:
        try:
            _refuse_if_taken(name)
            plan = _plan(lab, name, source)
        except LabError:
            if state.read(name) is None:
                state.forget(name)
            raise
        try:
            state.write(plan)
            _make(lab, plan, lock, progress)
            done = plan.finished()
            state.write(done)
        except BaseException as error:
            with uninterrupted():
                clear(plan)
            if isinstance(error, CommandFailed | OSError):
                raise _failure(name, error) from None
            raise
        return done


def require_programs(needed: dict[str, str]) -> None:
    """Take care that programs are there; each is given with the Debian package that has it.

    Raises:
        LabError: with all that are missing.
    """
    missing = {program: package for program, package in needed.items() if shutil.which(program) is None}
    if missing:
        raise LabError(
            f"this needs {' and '.join(missing)}", f"install with `apt-get install {' '.join(missing.values())}`"
        )


def _refuse_if_taken(name: str) -> None:
    there = state.read(name)
    if there is None:
        return
    if there.complete:
        raise LabError(
            f"there is a lab {name!r} already", f"take it down with `directrix lab down {name}`, or give another --name"
        )
    raise LabError(f"there are remains of a lab {name!r}", f"clear them with `directrix lab down {name}`")


def _plan(lab: Lab, name: str, source: str) -> LabState:
    hosts = [HostState(SWITCH, SWITCH, plumbing.namespace(name, SWITCH))]
    for host in lab.hosts:
        addresses = tuple(str(address) for address in host.addresses)
        hosts.append(HostState(host.name, host.role, plumbing.namespace(name, host.name), addresses))
    taken = [host.namespace for host in hosts if namespaces.exists(host.namespace)]
    if taken:
        raise LabError(f"there is a network namespace {taken[0]!r} that belongs to no lab", "remove or rename it")
    return LabState(name, source, lab.title, tuple(str(vip) for vip in lab.vips), tuple(hosts))


def _make(lab: Lab, plan: LabState, lock: int, progress: Progress) -> None:
    progress("namespaces, bridges and cables")
    # If we are killed, ip lives on for a moment. Inside a namespace it would be found there; here
    # it holds our lock, so that nobody clears away while it still makes things.
    ip(plumbing.namespace_commands(plan.namespaces), keep=[lock])
    for planned in plan.hosts:
        with _at(planned.name, plan):
            _set_sysctls(plumbing.FIRST_SYSCTLS.items())
    with _at(SWITCH, plan):
        ip(plumbing.switch_commands(lab, plan.name))
    progress("addresses and routes")
    for host in lab.hosts:
        with _at(host.name, plan):
            ip(plumbing.host_commands(host))
            if host.role is Role.REALSERVER and host.vips:
                interfaces = tuple(interface.name for interface in host.interfaces)
                wish = preparing.Wish(interfaces=interfaces, tunnels=host.tunnels)
                preparing.start(host.vips, wish)
            _set_sysctls(plumbing.host_sysctls(host))
    for host in lab.hosts:
        if host.nginx:
            progress(f"nginx on {host.name}")
            with _at(host.name, plan):
                _start_nginx(host, state.directory(plan.name) / host.name)
    for host in lab.hosts:
        if host.ipvsadm:
            progress(f"virtual services on {host.name}")
            with _at(host.name, plan):
                run_own(["directrix", "ipvsadm", "-R"], text="".join(f"{line}\n" for line in host.ipvsadm))
    for host in lab.hosts:
        if lab.keepalived and host.role is Role.DIRECTOR:
            progress(f"director on {host.name}")
            directing.prepare(plan.name, host.name, lab.keepalived)
            directing.start(plan.name, plan.host(host.name))
    for host in lab.hosts:
        for words in host.run:
            progress(f"{words[0]} on {host.name}")
            with _at(host.name, plan):
                run_own(words)


@contextmanager
def _at(host: str, plan: LabState) -> Iterator[None]:
    """Inside a host; what fails there is said to have failed there."""
    try:
        with namespaces.inside(plumbing.namespace(plan.name, host)):
            yield
    except (CommandFailed, HostError, OSError) as error:
        raise _failure(plan.name, error, f"on {host}: ") from None


def _failure(name: str, error: CommandFailed | HostError | OSError, where: str = "") -> LabError:
    why = str(error)
    if isinstance(error, OSError):
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return LabError(f"lab {name!r} can't be built, and nothing of it is left: {where}{why}")


def _start_nginx(host: Host, directory: Path) -> None:
    files = directory / "files"
    files.mkdir(parents=True)
    large = files / "large"
    large.touch()
    os.truncate(large, nginx.LARGE)
    # nginx's workers, as nobody, must get there whatever umask we have.
    for path, mode in ((directory.parent, 0o755), (directory, 0o755), (files, 0o755), (large, 0o644)):
        path.chmod(mode)
    (directory / "nginx.conf").write_text(nginx.configuration(host))
    run(nginx.command(str(directory)))


def _set_sysctls(sysctls: Iterable[tuple[str, str]]) -> None:
    for key, value in sysctls:
        try:
            sysctl.require(key, value)
        except OSError as error:
            raise OSError(error.errno, f"the parameter {key} can't be set to {value!r}: {error.strerror}") from None
