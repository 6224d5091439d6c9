"""Devices and addresses over rtnetlink, in a namespace of their own."""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from directrix.system import namespaces
from directrix.system.commands import ip
from directrix.system.interfaces import AddressFlag, Change, Events, InterfaceAddress, Line, LinkState
from directrix.system.process_events import ProcessEvents, What

pytestmark = pytest.mark.root

_numbers = itertools.count()


@pytest.fixture
def inside() -> Iterator[None]:
    name = f"dxi{os.getpid()}-{next(_numbers)}"
    ip([f"netns add {name}"])
    try:
        with namespaces.inside(name):
            ip(["link set lo up", "link add veth0 type veth peer name veth1"])
            yield
    finally:
        ip([f"netns del {name}"])


def link(line: Line, name: str) -> LinkState:
    return next(each for each in line.links() if each.name == name)


@pytest.mark.usefixtures("inside")
def test_addresses_are_put_on_a_device_and_taken_off_once() -> None:
    line = Line()
    index = link(line, "veth0").index
    inet, inet6 = ip_address("10.0.0.1"), ip_address("fd00::1")
    assert line.add_address(index, inet, 24, label="veth0:x")
    assert not line.add_address(index, inet, 24)
    assert line.add_address(index, inet6, 128, flags=AddressFlag.NODAD, deprecated=True)
    there = {each.address: each for each in line.addresses() if each.index == index}
    assert there[inet] == InterfaceAddress(index, inet, 24)
    assert there[inet6] == InterfaceAddress(index, inet6, 128, deprecated=True)
    assert line.remove_address(index, inet, 24)
    assert not line.remove_address(index, inet, 24)
    with pytest.raises(OSError, match="No such device"):
        line.add_address(9999, inet, 24)
    assert not line.remove_address(9999, inet, 24)
    line.close()


@pytest.mark.usefixtures("inside")
def test_a_macvlan_device_is_made_set_up_and_removed() -> None:
    line = Line()
    below, mac = link(line, "veth0"), bytes.fromhex("00005e000107")
    ip(["link set veth0 up", "link set veth1 up"])
    line.add_macvlan("vrrp.7", below.index, mac, link_local=False)
    made = link(line, "vrrp.7")
    assert (made.mac, made.kind, made.parent, made.up) == (mac, "macvlan", below.index, False)
    line.set_up(made.index)
    assert link(line, "vrrp.7").running
    assert not [each for each in line.addresses() if each.index == made.index], "it gave itself no address"
    with pytest.raises(FileExistsError):
        line.add_macvlan("vrrp.7", below.index, mac, link_local=False)
    assert line.remove_link(made.index)
    assert not line.remove_link(made.index)
    line.close()


@pytest.mark.usefixtures("inside")
def test_changes_are_told_as_they_happen() -> None:
    events = Events()
    ip(
        [
            "link set veth0 up",
            "link set veth1 up",
            "address add 10.0.0.1/24 dev veth0",
            "address del 10.0.0.1/24 dev veth0",
        ]
    )
    ip(["link del veth0"])
    told: list[Change] = []

    def seen(kind: type, gone: bool) -> list[object]:
        return [change.thing for change in told if isinstance(change.thing, kind) and change.gone == gone]

    while len(seen(LinkState, True)) < 2:
        assert select.select([events], [], [], 10)[0]
        told += events.read()
    assert any(each.name == "veth0" and each.running for each in seen(LinkState, False) if isinstance(each, LinkState))
    address = ip_address("10.0.0.1")
    for gone in (False, True):
        assert address in [each.address for each in seen(InterfaceAddress, gone) if isinstance(each, InterfaceAddress)]
    events.close()


@pytest.mark.usefixtures("inside")
def test_in_another_network_namespace_the_kernel_tells_of_no_processes() -> None:
    with pytest.raises(ConnectionRefusedError):
        ProcessEvents()


def test_processes_that_start_change_and_end_are_told() -> None:
    try:
        events = ProcessEvents()
    except OSError as error:
        pytest.skip(f"no process connector: {error}")
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    told: set[What] = set()
    while not told >= {What.FORKED, What.EXECUTED, What.ENDED}:
        assert select.select([events], [], [], 10)[0]
        told |= {event.what for event in events.read() if event.pid == child.pid}
    events.close()


def test_in_another_pid_namespace_the_kernel_would_tell_nothing_and_so_it_is_refused() -> None:
    listen = "from directrix.system.process_events import ProcessEvents; ProcessEvents()"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", listen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "first PID namespace only" in done.stderr) == (1, True)
