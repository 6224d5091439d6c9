"""The service on a real wire: what it puts in place, whom it tells, what it follows, and what cannot harm it."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from vrrp_hosts import Host, OurRouters, Wire, until, wire

from directrix.lvs.addresses import Family
from directrix.system import namespaces
from directrix.system.frames import announcement
from directrix.vrrp.configuration import Configuration, Group, Instance
from directrix.vrrp.datagram import build_inet
from directrix.vrrp.packet import Advertisement, encode
from directrix.vrrp.service import VrrpService
from directrix.vrrp.tracked import File, LinkDelay, Process, Script, Tracked, Tracking
from directrix.vrrp.values import Command, Fifo, Gratuitous, Notify, Peer, Routing, VirtualAddress, VirtualMac
from directrix.vrrp.watching import ProcessWatch

pytestmark = pytest.mark.root

VIP, VIP6, MORE = ip_address("10.0.0.100"), ip_address("fd00::100"), ip_address("10.0.0.101")


def instance(name: str = "VI", vrid: int = 51, **changes: object) -> Instance:
    facts: dict[str, object] = {
        "version": 3,
        "interval": 10,
        "addresses": (VirtualAddress(VIP, 32),),
        "gratuitous": Gratuitous(master_delay=0, master_repeat=2),
        "interface": "eth0",
    }
    facts.update(changes)
    return Instance(name, vrid=vrid, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@contextmanager
def routers(net: Wire, directory: Path, configuration: Configuration) -> Iterator[OurRouters]:
    ours = OurRouters(net.hosts[0], directory)
    try:
        ours.start(configuration)
        yield ours
    finally:
        ours.stop()
    assert VIP not in net.hosts[0].holds()


def state(ours: OurRouters, name: str = "VI") -> str:
    return str(ours.states()[name]["state"])


def said(host: Host, *words: str) -> str:
    with namespaces.inside(host.name):
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def sniffer(host: Host) -> socket.socket:
    with namespaces.inside(host.name):
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listening.bind(("eth0", 3))
    return listening


def frames(listening: socket.socket, enough: Callable[[list[bytes]], bool], seconds: float = 20.0) -> list[bytes]:
    """What comes by until it is enough."""
    seen: list[bytes] = []
    end = time.monotonic() + seconds
    while not enough(seen):
        assert time.monotonic() < end, f"{len(seen)} frames, and not what was waited for"
        if select.select([listening], [], [], 0.2)[0]:
            seen.append(listening.recv(2048))
    return seen


def answered(host: Host, address: object) -> bool:
    """Whether somebody says that there is nothing at a port of that address."""
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    with namespaces.inside(host.name), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.7)
        asking.connect((str(address), 9))
        asking.send(b"?")
        try:
            asking.recv(1)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    raise AssertionError("there is a service at port 9")


def test_a_master_has_addresses_routes_and_rules_in_place_and_tells_its_neighbours(net: Wire, tmp_path: Path) -> None:
    here = net.hosts[0]
    belongings = instance(
        excluded=(VirtualAddress(VIP6, 128), VirtualAddress(MORE, 24, device="eth1", label="eth1:vip")),
        routes=(Routing(Family.INET, ("192.0.2.0/24", "via", "10.0.0.2")),),
        rules=(Routing(Family.INET, ("from", "192.0.2.7", "table", "77")),),
    )
    with ExitStack() as stack:
        listening = stack.enter_context(sniffer(net.hosts[1]))
        ours = stack.enter_context(routers(net, tmp_path, Configuration((belongings,))))
        until("it is master", lambda: state(ours) == "MASTER")
        assert here.holds() >= {VIP, VIP6, MORE}
        assert "192.0.2.0/24 via 10.0.0.2" in said(here, "ip", "route")
        assert "from 192.0.2.7 lookup 77" in said(here, "ip", "rule")
        assert "eth1:vip" in said(here, "ip", "address", "show", "dev", "eth1")
        mac = bytes.fromhex(said(here, "ip", "-br", "link", "show", "dev", "eth0").split()[2].replace(":", ""))
        wanted = [announcement(address, mac) for address in (VIP, VIP6)]
        seen = frames(listening, lambda seen: all(seen.count(frame) >= 2 for frame in wanted))
        assert [seen.count(frame) for frame in wanted] == [2, 2]
        ours.stop()
        assert not here.holds() & {VIP, VIP6, MORE}
        assert "192.0.2" not in said(here, "ip", "route") + said(here, "ip", "rule")


def test_announcements_are_spaced_by_the_interval_asked_for(net: Wire, tmp_path: Path) -> None:
    spaced = instance(gratuitous=Gratuitous(master_delay=0, master_repeat=4, arp_interval=0.1))
    with sniffer(net.hosts[1]) as listening, routers(net, tmp_path, Configuration((spaced,))):
        arrived: list[float] = []

        def four(seen: list[bytes]) -> bool:
            if seen and seen[-1][12:14] == b"\x08\x06" and len(arrived) < sum(f[12:14] == b"\x08\x06" for f in seen):
                arrived.append(time.monotonic())
            return len(arrived) == 4

        frames(listening, four)
    assert 0.25 < arrived[-1] - arrived[0] < 3


def test_an_address_that_somebody_takes_away_is_put_back(net: Wire, tmp_path: Path) -> None:
    with routers(net, tmp_path, Configuration((instance(),))) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        net.hosts[0].ip(f"address del {VIP}/32 dev eth0")
        until("it is there again", lambda: VIP in net.hosts[0].holds())


def test_scripts_are_told_of_every_change_in_order_and_with_their_arguments(net: Wire, tmp_path: Path) -> None:
    heard, fifo = tmp_path / "heard", tmp_path / "fifo"
    script = tmp_path / "notify"
    script.write_text(f'#!/bin/sh\necho "$*" >> {heard}\n')
    script.chmod(0o755)

    def run(*words: str) -> Command:
        return Command((str(script), *words))

    notify = Notify(
        master=run("master!"), backup=run("backup!"), fault=run("fault!"), stop=run("stop!"), any=run("any", "given")
    )
    group = Group("G", ("VI", "VJ"), notify=Notify(any=run("group")))
    pair = (
        instance(notify=notify),
        instance("VJ", 52, interface="eth1", addresses=(VirtualAddress(ip_address("10.1.0.100"), 32),)),
    )
    reader = Command(("/bin/sh", "-c", f'exec cat "$0" > {tmp_path / "read"}'))
    configuration = Configuration(pair, (group,), fifos=(Fifo(str(fifo), reader=reader),))
    with routers(net, tmp_path, configuration) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        until("the scripts ran", lambda: heard.read_text().count("\n") >= 6)
        net.hosts[1].ip("link set eth0 down")
        until("it is in fault", lambda: state(ours) == "FAULT")
        assert state(ours, "VJ") == "FAULT"
        until("the scripts ran", lambda: heard.read_text().count("\n") >= 9)
        net.hosts[1].ip("link set eth0 up")
        until("it is master again", lambda: state(ours) == "MASTER")
    until("the scripts ran", lambda: heard.read_text().count("\n") == 18)
    told = heard.read_text().splitlines()
    # They run beside each other, so the order within one change is that of their starts, not of their ends.
    changes = [set(told[:3]), set(told[3:6]), set(told[6:9]), set(told[9:12]), set(told[12:15]), set(told[15:])]
    expected = [
        {f"{word.lower()}!", f"any given INSTANCE VI {word} 100", f"group GROUP G {word} 0"}
        for word in ("BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP")
    ]
    assert changes == expected
    assert (tmp_path / "read").read_text().splitlines()[:6] == [
        'INSTANCE "VI" BACKUP 100',
        'INSTANCE "VJ" BACKUP 100',
        'GROUP "G" BACKUP 0',
        'INSTANCE "VI" MASTER 100',
        'INSTANCE "VJ" MASTER 100',
        'GROUP "G" MASTER 0',
    ]
    assert not fifo.exists()


def test_scripts_files_and_processes_decide_and_none_of_them_holds_anything_up(net: Wire, tmp_path: Path) -> None:
    check, drain, program = tmp_path / "check", tmp_path / "drain", tmp_path / "tracked-program"
    check.write_text("#!/bin/sh\nyes & exit 0\n")
    check.chmod(0o755)
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    tracking = Tracking(
        scripts=(Tracked("check"), Tracked("hangs", -30)), files=(Tracked("drain", -1),), processes=(Tracked("runs"),)
    )
    configuration = Configuration(
        (instance(tracking=tracking),),
        scripts=(
            Script("check", Command((str(check),)), interval=0.2),
            Script("hangs", Command(("/bin/sleep", "1000")), interval=0.3),
        ),
        files=(File("drain", str(drain), initial=0),),
        processes=(Process("runs", str(program), weight=5),),
    )

    def is_now(what: str, priority: int) -> None:
        until(what, lambda: (ours.states()["VI"]["state"], ours.states()["VI"]["priority"]) == ("MASTER", priority))

    with routers(net, tmp_path, configuration) as ours:
        is_now("the script that hangs counts as failed, the other one as well", 70)
        running = subprocess.Popen([str(program), "1000"])
        try:
            is_now("the process counts", 75)
            drain.write_text("50\n")
            is_now("the file counts", 25)
            drain.unlink()
            is_now("a file that is gone counts as 0", 75)
        finally:
            running.kill()
            running.wait()
        is_now("the process is gone", 70)
        check.write_text("#!/bin/sh\nexit 3\n")
        until("the script decides", lambda: state(ours) == "FAULT")
        assert ours.states()["VI"]["faults"] == ["script check"]
        check.write_text("#!/bin/sh\nexit 0\n")
        is_now("the script is well", 70)


@pytest.mark.parametrize("family", list(Family))
def test_a_virtual_mac_device_is_there_as_long_as_the_instance_and_its_adverts_come_from_it(
    net: Wire, tmp_path: Path, family: Family
) -> None:
    here, six = net.hosts[0], family is Family.INET6
    address = VirtualAddress(ip_address("fe80::100") if six else VIP, 128 if six else 32)
    virtual = instance(family=family, addresses=(address,), virtual_mac=VirtualMac("vmac0"))
    mac = bytes.fromhex(f"00005e000{2 if six else 1}33")
    with sniffer(net.hosts[1]) as listening, routers(net, tmp_path, Configuration((virtual,))) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        assert mac.hex(":") in said(here, "ip", "link", "show", "dev", "vmac0")
        protocol = 20 if six else 23
        seen = frames(listening, lambda seen: sum(f[protocol] == 112 for f in seen if len(f) > 60 or not six) >= 3)
        assert {frame[6:12] for frame in seen if frame[protocol] == 112} == {mac}
        assert announcement(address.address, mac) in seen
        if not six:
            with namespaces.inside(here.name):
                assert Path("/proc/sys/net/ipv4/conf/eth0/arp_ignore").read_text() == "1\n"
    assert "vmac0" not in said(here, "ip", "link")
    with namespaces.inside(here.name):
        assert Path("/proc/sys/net/ipv4/conf/eth0/arp_ignore").read_text() == "0\n"


def test_garbage_from_the_wire_is_counted_by_its_cause_and_changes_nothing(net: Wire, tmp_path: Path) -> None:
    there = net.hosts[1]
    with namespaces.inside(there.name):
        sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    group = IPv4Address("224.0.0.18")

    def send(message: bytes, ttl: int = 255) -> None:
        data = build_inet(message, IPv4Address("10.0.0.2"), group, identification=1, ttl=ttl)
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.2"))
        sending.sendto(data, (str(group), 0))

    def advert(**changes: object) -> bytes:
        facts = {"version": 3, "vrid": 51, "priority": 200, "interval": 10, "addresses": (VIP,)} | changes
        return encode(Advertisement(**facts), IPv4Address("10.0.0.2"), group)  # type: ignore[arg-type]

    with sending, routers(net, tmp_path, Configuration((instance(),))) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        send(advert(), ttl=254)
        send(advert(addresses=(MORE,)))
        send(advert(version=2, interval=100))
        good = advert()
        send(good[:-1])
        send(good[:6] + b"\xff\xff" + good[8:])
        send(b"\x33" + good[1:])
        for _ in range(200):
            send(os.urandom(40))
        send(advert(vrid=99))
        expected = {"TTL": 1, "ADDRESSES": 1, "VERSION": 1, "LENGTH": 1, "CHECKSUM": 1, "TYPE": 1}

        def counted() -> bool:
            rejected = ours.states()["VI"]["rejected"]
            return all(rejected.get(cause, 0) >= count for cause, count in expected.items())

        until("all are counted", counted)
        status = ours.states()["VI"]
        assert status["state"] == "MASTER"
        assert status["statistics"]["become_master"] == 1
        assert status["statistics"]["advertisements_received"] == 0
        stranger = next(each for each in ours.strangers() if each["vrid"] == 99)
        assert (stranger["interface"], stranger["source"]) == ("eth0", "10.0.0.2")
        send(good)
        until("a good one is heard", lambda: state(ours) == "BACKUP")
        until("and nobody sends a second", lambda: state(ours) == "MASTER")


def test_adverts_with_ah_are_counted_by_a_version_2_router_that_expects_none(net: Wire, tmp_path: Path) -> None:
    there = net.hosts[1]
    with namespaces.inside(there.name):
        sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    source, group = IPv4Address("10.0.0.2"), IPv4Address("224.0.0.18")
    message = encode(Advertisement(2, 51, 200, 100, (VIP,), auth_type=2), source, group)
    data = build_inet(message, source, group, identification=1, key=b"key", sequence=1)
    with sending, routers(net, tmp_path, Configuration((instance(version=2, interval=100),))) as ours:
        until("it takes part", lambda: state(ours) == "BACKUP")
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, source.packed)
        sending.sendto(data, (str(group), 0))
        until("it is counted", lambda: ours.states()["VI"]["rejected"] == {"AUTH_HEADER": 1})


def test_without_accept_the_host_answers_only_neighbour_discovery_for_the_addresses(net: Wire, tmp_path: Path) -> None:
    here, there = net.hosts

    quiet = instance(excluded=(VirtualAddress(VIP6, 128),), accept=False)
    with routers(net, tmp_path, Configuration((quiet,))) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        assert not answered(there, VIP)
        assert not answered(there, VIP6)
        until("the host answers for its own", lambda: answered(there, "10.0.0.1"))
        ours.reload(Configuration((replace(quiet, accept=True),)))
        until("it answers for the addresses", lambda: answered(there, VIP) and answered(there, VIP6))
    assert "directrix_vrrp" not in said(here, "nft", "list", "tables")


def test_an_interface_that_goes_and_comes_back_is_followed(net: Wire, tmp_path: Path) -> None:
    here = net.hosts[0]
    here.ip("link add eth7 type veth peer name eth8")
    configuration = Configuration((instance(interface="eth7"),))
    with routers(net, tmp_path, configuration) as ours:
        assert state(ours) == "FAULT"
        here.ip("link set eth7 up", "link set eth8 up")
        until("it waits for an address to send from", lambda: len(ours.states()["VI"]["faults"]) == 1)
        here.ip("address add 10.7.0.1/24 dev eth7")
        until("it is master", lambda: state(ours) == "MASTER")
        here.ip("link del eth7")
        until("it is in fault", lambda: state(ours) == "FAULT")
        here.ip(
            "link add eth7 type veth peer name eth8", "address add 10.7.0.1/24 dev eth7", "link set eth7 up",
            "link set eth8 up",
        )  # fmt: skip
        until("it is master again", lambda: state(ours) == "MASTER")
        sent = ours.states()["VI"]["statistics"]["advertisements_sent"]
        until("adverts go on", lambda: ours.states()["VI"]["statistics"]["advertisements_sent"] > sent + 2)
        assert VIP in here.holds()
    here.ip("link del eth7")


def test_a_link_that_bounces_counts_only_after_its_delay(net: Wire, tmp_path: Path) -> None:
    delays = (LinkDelay("eth0", down=1.0, up=0.0),)
    with routers(net, tmp_path, Configuration((instance(),), link_delays=delays)) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        net.hosts[1].ip("link set eth0 down", "link set eth0 up")
        assert state(ours) == "MASTER"
        begin = time.monotonic()
        net.hosts[1].ip("link set eth0 down")
        until("it is in fault", lambda: state(ours) == "FAULT")
        assert time.monotonic() - begin >= 1.0
        net.hosts[1].ip("link set eth0 up")
        until("it is master", lambda: state(ours) == "MASTER")
        assert ours.states()["VI"]["statistics"]["become_master"] == 2


def test_an_owner_may_send_from_the_virtual_address_that_is_its_own(net: Wire, tmp_path: Path) -> None:
    here = net.hosts[0]
    here.ip("link add eth9 type veth peer name eth8", "link set eth9 up", "link set eth8 up")
    here.ip(f"address add {MORE}/24 dev eth9")
    own = instance(interface="eth9", priority=255, starts_as_master=True, addresses=(VirtualAddress(MORE, 24),))
    with routers(net, tmp_path, Configuration((own,))) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        assert ours.states()["VI"]["source"] == str(MORE)
    here.ip("link del eth9")


def test_unicast_peers_need_no_interface(net: Wire, tmp_path: Path) -> None:
    def routed(number: int, priority: int) -> Configuration:
        return Configuration(
            (
                instance(
                    interface="",
                    priority=priority,
                    source=ip_address(f"10.0.0.{number}"),
                    track_source=True,
                    peers=(Peer(ip_address(f"10.0.0.{3 - number}")),),
                    addresses=(VirtualAddress(VIP, 32, device="eth0"),),
                ),
            )
        )

    (tmp_path / "there").mkdir()
    other = OurRouters(net.hosts[1], tmp_path / "there")
    with routers(net, tmp_path, routed(1, 150)) as ours:
        until("it is master", lambda: state(ours) == "MASTER")
        other.start(routed(2, 100))
        heard = "advertisements_received"

        def hears() -> bool:
            there = other.states()["VI"]
            return there["statistics"][heard] > 8 and there["state"] == "BACKUP"

        until("the other hears it and is backup", hears)
        ours.stop()
        until("the other is master", lambda: VIP in net.hosts[1].holds())
    other.stop()


def test_what_an_earlier_life_left_behind_stays_until_somebody_else_is_master(net: Wire, tmp_path: Path) -> None:
    here, there = net.hosts
    low, high = Configuration((instance(priority=50),)), Configuration((instance(priority=200),))
    first, second = OurRouters(here, tmp_path), OurRouters(there, tmp_path / "there")
    (tmp_path / "there").mkdir()
    try:
        first.start(low)
        until("it is master", lambda: state(first) == "MASTER")
        first.kill()
        time.sleep(0.5)  # so long that it cannot go on as master at once
        begin = time.monotonic()
        first.start(low)
        until("it is master", lambda: state(first) == "MASTER")
        assert net.bare(VIP, begin) == 0
        first.kill()
        second.start(high)
        until("the other is master", lambda: state(second) == "MASTER")
        assert VIP in here.holds(), "nobody is there to take it away"
        first.start(low)
        until("it has heard the other", lambda: VIP not in here.holds())
        assert state(first) == "BACKUP"
    finally:
        first.end()
        second.end()
        for host in (here, there):
            if VIP in host.holds():
                host.ip(f"address del {VIP}/32 dev eth0")


def test_a_start_that_cannot_make_a_device_says_so_and_leaves_nothing_behind(net: Wire) -> None:
    here = net.hosts[0]
    here.ip("link add vmac0 type veth peer name vmac1")
    service = VrrpService(
        Configuration(
            (
                instance(virtual_mac=VirtualMac("vmac2")),
                instance("VJ", 52, virtual_mac=VirtualMac("vmac0"), addresses=(VirtualAddress(MORE, 32),)),
            )
        )
    )
    with namespaces.inside(here.name), pytest.raises(FileExistsError, match="vmac0"):
        asyncio.run(service.start())
    here.ip("link del vmac0")
    assert "vmac2" not in said(here, "ip", "link")


def test_processes_are_followed_here_and_a_change_that_does_not_last_is_not_told(tmp_path: Path) -> None:
    program = tmp_path / "followed"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    told: list[tuple[str, bool]] = []
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        running.append(subprocess.Popen([str(program), "1000"]))

    def end() -> None:
        process = running.pop()
        process.kill()
        process.wait()

    async def wait(what: list[tuple[str, bool]]) -> None:
        async with asyncio.timeout(20):
            while told != what:
                await asyncio.sleep(0.01)

    async def follow() -> None:
        processes = (Process("at once", str(program)), Process("later", str(program), end_delay=1.5))
        watch = ProcessWatch(processes, lambda name, well: told.append((name, well)))
        await wait([("at once", False), ("later", False)])
        begin()
        await wait([("at once", False), ("later", False), ("at once", True), ("later", True)])
        told.clear()
        end()
        await wait([("at once", False)])
        begin()
        await wait([("at once", False), ("at once", True)])
        await asyncio.sleep(1.7)
        assert told == [("at once", False), ("at once", True)]
        end()
        await wait([("at once", False), ("at once", True), ("at once", False), ("later", False)])
        watch.close()

    asyncio.run(follow())


def test_notify_scripts_run_as_the_user_they_are_given(net: Wire, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        who = Path(directory) / "who"
        notify = Notify(master=Command(("/bin/sh", "-c", f"id -un > {who}"), "nobody"))
        with routers(net, tmp_path, Configuration((instance(notify=notify),))):
            until("the script ran", lambda: who.exists() and who.read_text())
        assert who.read_text() == "nobody\n"
