"""DR_CHECK on a real segment: it finds the faults of direct routing, and leaves the host as it was."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from ipaddress import ip_address

import pytest
from segment import VIP, VIP6, Address, Segment
from served import run

from directrix.checks.dr_check import DrCheck, DrChecker
from directrix.checks.dr_wire import Wires
from directrix.checks.http_get import Url
from directrix.checks.outcome import Outcome
from directrix.checks.settings import Target

pytestmark = pytest.mark.root
FAMILIES = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])


def rip(vip: Address, number: int) -> Address:
    return ip_address(f"10.0.0.{10 + number}" if vip.version == 4 else f"fd00::{10 + number}")


def checks(
    segment: Segment, vip: Address, *numbers: int, page: Url | None = None, timeout: float = 5.0, at: str = "director"
) -> list[Outcome]:
    """What the director's checks of some real servers find, made all at a time."""

    async def story() -> list[Outcome]:
        wires = Wires()
        try:
            settings = [DrCheck(Target(rip(vip, n), 80, connect_timeout=timeout), vip, page) for n in numbers]
            return await asyncio.gather(*(DrChecker(one, wires).check() for one in settings))
        finally:
            wires.close()

    with segment.inside(at):
        return run(story())


@FAMILIES
def test_servers_as_they_should_be_pass_and_their_services_see_nothing(segment: Segment, vip: Address) -> None:
    servers = [segment.serve(host, "0.0.0.0" if vip.version == 4 else "::") for host in ("rs1", "rs2")]
    for _ in range(3):
        for outcome in checks(segment, vip, 1, 2):
            assert outcome.ok, outcome
    assert [server.accepted for server in servers] == [0, 0]


@FAMILIES
def test_a_server_without_the_vip_is_found_out(segment: Segment, vip: Address) -> None:
    for host in ("rs1", "rs2"):
        segment.serve(host, "0.0.0.0" if vip.version == 4 else "::")
    segment.ip("rs1", f"addr del {vip}/{vip.max_prefixlen} dev lo")
    # One that forwards would send the packet on to whoever has the VIP.
    segment.set("rs1", "ipv4/ip_forward", 1)
    segment.set("rs1", "ipv6/conf/all/forwarding", 1)
    [good] = checks(segment, vip, 2)
    assert good.ok, good
    [bad] = checks(segment, vip, 1, timeout=1.5)
    assert not bad.ok
    assert "may lack the VIP" in bad.detail


@FAMILIES
def test_a_service_that_listens_on_the_servers_own_address_only_is_found_out(segment: Segment, vip: Address) -> None:
    segment.serve("rs1", rip(vip, 1))
    [outcome] = checks(segment, vip, 1)
    assert not outcome.ok
    assert outcome.detail.endswith("is refused: the server has the VIP, but no service listens there")


def test_a_server_that_answers_arp_for_the_vip_is_found_out(segment: Segment) -> None:
    for host in ("rs1", "rs2"):
        segment.serve(host, "0.0.0.0")
    segment.set("rs1", "ipv4/conf/all/arp_ignore", 0)
    bad, good = checks(segment, VIP, 1, 2)
    assert good.ok, good
    assert bad == Outcome(False, "the server answers ARP requests for 10.0.0.100, which is the director's to do")


def test_a_server_that_answers_solicitations_for_the_vip_is_found_out(segment: Segment) -> None:
    for host in ("rs1", "rs2"):
        segment.serve(host, "::")
    segment.ip("rs1", f"addr add {VIP6}/128 dev eth0 nodad")
    bad, good = checks(segment, VIP6, 1, 2)
    assert good.ok, good
    assert not bad.ok
    assert "answers neighbour solicitations" in bad.detail


@FAMILIES
def test_a_page_is_fetched_from_this_one_server(segment: Segment, vip: Address) -> None:
    body = bytes(range(256)) * 1000
    answer = b"HTTP/1.0 200 OK\r\n\r\n"
    for host, content in (("rs1", body), ("rs2", body[::-1])):
        segment.serve(host, vip, answer + content)
    page = Url("/", digest=hashlib.md5(body).hexdigest())
    first, second = checks(segment, vip, 1, 2, page=page)
    assert first == Outcome(True, "/: status 200")
    assert second.detail == f"/: digest {hashlib.md5(body[::-1]).hexdigest()}"


@FAMILIES
def test_a_server_that_is_not_there_is_told_apart(segment: Segment, vip: Address) -> None:
    segment.ip("rs1", "link set eth0 down")
    [outcome] = checks(segment, vip, 1, timeout=6)
    assert outcome == Outcome(False, f"nobody answers for {rip(vip, 1)} on the segment")


@FAMILIES
def test_a_backup_without_the_vip_checks_as_well(segment: Segment, vip: Address) -> None:
    segment.serve("rs1", "0.0.0.0" if vip.version == 4 else "::")
    segment.ip("director", f"addr del {vip}/{vip.max_prefixlen} dev eth0")
    for _ in range(2):
        [outcome] = checks(segment, vip, 1)
        assert outcome.ok, outcome


@FAMILIES
def test_the_director_sends_nothing_but_what_is_meant(segment: Segment, vip: Address) -> None:
    segment.serve("rs1", "0.0.0.0" if vip.version == 4 else "::")
    segment.set("director", "ipv4/ip_forward", 1)
    opened = segment.count("rs1", "PassiveOpens")
    resets = segment.count("rs1", "EstabResets")
    for _ in range(5):
        assert checks(segment, vip, 1)[0].ok
    assert segment.count("rs1", "PassiveOpens") == opened
    assert segment.count("rs1", "EstabResets") == resets
    deadline = time.monotonic() + 20
    with segment.inside("rs1"):
        while "SYN-RECV" in subprocess.run(["ss", "-Htan"], capture_output=True, text=True, check=True).stdout:
            assert time.monotonic() < deadline, "a connection is left half open"
            time.sleep(0.02)


def test_where_direct_routing_cannot_be_the_check_says_why(segment: Segment) -> None:
    def found(settings: DrCheck) -> str:
        async def story() -> str:
            wires = Wires()
            outcome = await DrChecker(settings, wires).check()
            wires.close()
            assert not outcome.ok
            return outcome.detail

        with segment.inside("director"):
            return run(story())

    segment.ip("director", "route add 192.0.2.0/24 via 10.0.0.11")
    there = ip_address("10.0.0.11")
    assert found(DrCheck(Target(ip_address("10.0.0.1"), 80), VIP)) == "10.0.0.1 is an address of this host"
    assert "is behind 10.0.0.11" in found(DrCheck(Target(ip_address("192.0.2.1"), 80), VIP))
    assert "no route to 198.51.100.1" in found(DrCheck(Target(ip_address("198.51.100.1"), 80), VIP))
    assert "set bindto" in found(DrCheck(Target(there, 80, bindto=VIP), VIP))
    elsewhere = DrCheck(Target(there, 80, bindto=ip_address("10.9.9.9")), VIP)
    assert found(elsewhere) == "no frames can be sent from 10.9.9.9: Cannot assign requested address"
    with pytest.raises(ValueError, match="one family"):
        DrCheck(Target(there, 80), VIP6)


def test_a_wire_that_breaks_is_made_anew(segment: Segment) -> None:
    segment.serve("rs1", "0.0.0.0")

    async def story() -> list[bool]:
        wires = Wires()
        checker = DrChecker(DrCheck(Target(rip(VIP, 1), 80, connect_timeout=4), VIP), wires)
        found = [(await checker.check()).ok]
        for words in ("link set eth0 down", "link set eth0 up"):
            segment.ip("director", words)
            if words.endswith("up"):
                segment.ip("director", f"addr replace {VIP}/32 dev eth0")
            found.append((await checker.check()).ok)
        wires.close()
        return found

    with segment.inside("director"):
        assert run(story()) == [True, False, True]


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "vip"), [("tc", VIP6), ("xdp-generic", VIP)])
def test_the_data_plane_at_work_is_no_hindrance(segment: Segment, vip: Address, hook: str) -> None:
    for host in ("rs1", "rs2"):
        segment.serve(host, "0.0.0.0" if vip.version == 4 else "::")
    segment.ip("rs2", f"addr del {vip}/{vip.max_prefixlen} dev lo")
    directrix = ["nsenter", f"--net=/run/netns/{segment.name('director')}", sys.executable, "-m", "directrix"]
    service = f"{vip}:80" if vip.version == 4 else f"[{vip}]:80"
    try:
        for words in (
            ["up", "-q", "-c", "10000", "--hook", hook, "-i", "eth0"],
            ["ipvsadm", "-A", "-t", service, "-s", "rr"],
            ["ipvsadm", "-a", "-t", service, "-r", service.replace(str(vip), str(rip(vip, 1))), "-g"],
        ):
            subprocess.run([*directrix, *words], check=True, timeout=60)
        [good] = checks(segment, vip, 1)
        assert good.ok, good
        [bad] = checks(segment, vip, 2, timeout=1.5)
        assert not bad.ok
        listed = subprocess.run([*directrix, "ipvsadm", "-Lcn"], capture_output=True, text=True, check=True, timeout=60)
        assert "SYN" not in listed.stdout
    finally:
        subprocess.run([*directrix, "down", "-q"], check=True, timeout=60)
