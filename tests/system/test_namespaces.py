"""Network namespaces and being inside one."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from directrix.system import namespaces, sysctl

pytestmark = pytest.mark.root


@pytest.fixture
def name() -> Iterator[str]:
    made = f"test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", made], check=True)
    yield made
    subprocess.run(["ip", "netns", "delete", made], check=True)


def test_inside_sockets_children_and_parameters_are_the_namespaces(name: str) -> None:
    home = namespaces.current()
    outside = sysctl.read("net.core.somaxconn")
    with namespaces.inside(name):
        assert namespaces.current() == namespaces.identity(name)
        assert socket.if_nameindex() == [(1, "lo")]
        assert subprocess.check_output(["ip", "-br", "link"], text=True).split()[0] == "lo"
        sysctl.require("net.core.somaxconn", "77")
    assert namespaces.current() == home
    assert sysctl.read("net.core.somaxconn") == outside
    with namespaces.inside(name):
        assert sysctl.read("net/core/somaxconn") == "77"


def test_one_comes_back_also_after_an_error(name: str) -> None:
    home = namespaces.current()
    with pytest.raises(RuntimeError), namespaces.inside(name):
        raise RuntimeError
    assert namespaces.current() == home


def test_its_processes_are_found(name: str) -> None:
    identity = namespaces.identity(name)
    assert identity
    assert namespaces.processes(identity) == []
    with namespaces.inside(name):
        child = subprocess.Popen(["sleep", "60"])
    try:
        assert namespaces.processes(identity) == [child.pid]
        assert namespaces.is_inside(child.pid, identity)
    finally:
        child.kill()
        child.wait()
    assert namespaces.processes(identity) == []


def test_one_that_is_not_there_is_told() -> None:
    assert not namespaces.exists("no-such-namespace")
    assert namespaces.identity("no-such-namespace") is None
    with pytest.raises(FileNotFoundError, match="no-such-namespace"), namespaces.inside("no-such-namespace"):
        pass
