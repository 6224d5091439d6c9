"""Checks of the host itself, on hosts that are made up."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from test_doctor_breaks import EVERY

from directrix.doctor.case import Case
from directrix.doctor.checks import (
    arp_settings,
    fill,
    filtering,
    forwarding,
    hooks,
    link,
    listening,
    own_address,
    rp_filter,
    services,
    this_host,
    vip,
)
from directrix.doctor.examining import examine
from directrix.doctor.finding import Finding, Role
from directrix.doctor.host import Carried, Destination, Host, Listener, Way
from directrix.doctor.mending import left_elsewhere, safe_remedies
from directrix.doctor.registry import CHECKS
from directrix.doctor.served import Server, parse_service
from directrix.lab.breaks import BREAKS
from directrix.lvs import Address, ForwardingMethod, Protocol, ServiceKey, VirtualService
from directrix.lvs.flood import Flood, FloodCounts, FloodState
from directrix.lvs.service import SchedulerFlags
from directrix.system.links import Link
from directrix.system.netfilter.ruleset import Chain, Ruleset
from directrix.table.xdp.attachment import Attachment
from directrix.table.xdp.director import Status
from directrix.table.xdp.verdicts import VERDICTS

VIP = ip_address("10.0.0.100")


class MadeUp(Host):
    """A host that is as it is told to be; nothing of it is asked of the system."""

    def __init__(self, settings: dict[str, str] | None = None, **facts: Any) -> None:
        self.settings = settings or {}
        plain: dict[str, Any] = {"carried": [], "neighbours": [], "listeners": [], "ruleset": None, "routes": []}
        plain["links"] = {"eth0": Link(2, "eth0", "ether", up=True)}
        self.__dict__.update(plain | facts)

    def sysctl(self, key: str) -> str | None:
        return self.settings.get(key)

    def program_of(self, listener: Listener) -> str:
        return "httpd"

    def default_way(self, version: int) -> None:
        return None


def case(role: Role, host: Host, **more: Any) -> Case:
    return Case(host, role, (VIP,), **more)


def told(findings: Any) -> list[str]:
    return [finding.outcome.value for finding in findings]


def commands(finding: Finding) -> list[str]:
    return [remedy.command for remedy in finding.remedies]


def address(text: str, interface: str = "eth0") -> Carried:
    plain, _, prefix = text.partition("/")
    return Carried(interface, ip_address(plain), int(prefix))


OWN, ON_LO = address("10.0.0.11/24"), address("10.0.0.100/32", "lo")
VIP_HERE = address("10.0.0.100/32")


class TestLink:
    def test_the_only_interface_down_is_a_failure_with_the_command(self) -> None:
        host = MadeUp(carried=[OWN], links={"eth0": Link(2, "eth0", "ether", up=False)})
        (found,) = link.look(case(Role.REALSERVER, host))
        assert (told([found]), commands(found)) == (["fail"], ["ip link set dev eth0 up"])

    def test_one_of_several_is_a_warning(self) -> None:
        links = {"eth0": Link(2, "eth0", "ether", up=True), "eth1": Link(3, "eth1", "ether", up=True, carrier=False)}
        host = MadeUp(carried=[OWN, address("10.1.0.1/24", "eth1")], links=links)
        assert told(link.look(case(Role.REALSERVER, host))) == ["ok", "warn"]


class TestVip:
    @pytest.mark.parametrize(
        ("carried", "outcome", "last"),
        [
            ([OWN, ON_LO], ["ok"], None),
            ([OWN], ["fail"], "ip address replace 10.0.0.100/32 dev lo scope host"),
            ([OWN, address("10.0.0.100/24", "lo")], ["fail"], "ip address del 10.0.0.100/24 dev lo"),
            ([OWN, address("10.0.0.100/32")], ["fail"], "directrix director announce --vip 10.0.0.100"),
        ],
    )
    def test_a_real_server_carries_it_on_lo_alone(self, carried: list[Carried], outcome: list[str], last: str) -> None:
        found = list(vip.look(case(Role.REALSERVER, MadeUp(carried=carried))))
        assert told(found) == outcome
        assert commands(found[0])[-1:] == ([last] if last else [])

    def test_a_dummy_serves_as_well_as_lo(self) -> None:
        links = {"dummy0": Link(3, "dummy0", "ether", kind="dummy", up=True)}
        host = MadeUp(carried=[OWN, address("10.0.0.100/32", "dummy0")], links=links)
        assert told(vip.look(case(Role.REALSERVER, host))) == ["ok"]

    def test_a_director_carries_it_on_the_wire_of_its_network(self) -> None:
        assert told(vip.look(case(Role.DIRECTOR, MadeUp(carried=[OWN, address("10.0.0.100/32")])))) == ["ok"]
        (found,) = vip.look(case(Role.DIRECTOR, MadeUp(carried=[OWN])))
        assert commands(found) == ["ip address add 10.0.0.100/32 dev eth0"]

    def test_nobody_else_carries_it(self) -> None:
        assert told(vip.look(case(Role.BYSTANDER, MadeUp(carried=[OWN])))) == ["ok"]
        (found,) = vip.look(case(Role.BYSTANDER, MadeUp(carried=[OWN, address("10.0.0.100/24")])))
        assert commands(found) == [
            "ip address del 10.0.0.100/24 dev eth0",
            "directrix director announce --vip 10.0.0.100",
        ]
        assert [remedy.on for remedy in found.remedies] == ["", "the director"]

    def test_of_ipv6_the_wide_one_goes_first_since_both_can_not_be(self) -> None:
        six, wide = ip_address("fd00::100"), address("fd00::100/64", "lo")
        (found,) = vip.look(Case(MadeUp(carried=[OWN, wide]), Role.REALSERVER, (six,)))
        assert commands(found) == [
            "ip address del fd00::100/64 dev lo",
            "ip address replace fd00::100/128 dev lo nodad preferred_lft 0",
        ]


def test_what_is_safe_here_is_run_and_what_is_left_elsewhere_is_told() -> None:
    host = MadeUp({}, carried=[OWN, ON_LO])
    found = examine(case(Role.REALSERVER, host), [CHECKS["arp-settings"]])
    assert [remedy.command for remedy in safe_remedies(found)] == [
        "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
    ]
    assert [(remedy.on, remedy.command) for remedy in left_elsewhere(found)] == [
        ("the director", "directrix director announce --vip 10.0.0.100")
    ]


@pytest.mark.parametrize(
    ("of_all", "of_interface", "outcome"),
    [
        ((1, 2), (0, 0), "ok"),
        ((0, 0), (1, 2), "ok"),
        ((0, 2), (2, 0), "ok"),
        ((0, 0), (0, 0), "fail"),
        ((1, 1), (0, 1), "fail"),
        ((0, 2), (0, 2), "fail"),
    ],
)
def test_of_arp_settings_the_greater_is_in_force(
    of_all: tuple[int, int], of_interface: tuple[int, int], outcome: str
) -> None:
    settings = {
        f"net/ipv4/conf/{where}/{key}": str(value)
        for where, values in (("all", of_all), ("eth0", of_interface), ("lo", (1, 2)))
        for key, value in zip(("arp_ignore", "arp_announce"), values, strict=True)
    }
    found = arp_settings.look(case(Role.REALSERVER, MadeUp(settings, carried=[OWN, ON_LO])))
    assert told(found) == [outcome]


@pytest.mark.parametrize(
    ("value", "routes", "outcome"),
    [
        ("1", [Destination("default", "eth0")], "ok"),
        ("1", [Destination("default", "eth1")], "fail"),
        ("2", [Destination("default", "eth1")], "ok"),
        ("0", [Destination("default", "eth1")], "ok"),
        ("1", [], "ok"),
    ],
)
def test_strict_filtering_matters_if_answers_leave_elsewhere(
    value: str, routes: list[Destination], outcome: str
) -> None:
    host = MadeUp({"net/ipv4/conf/all/rp_filter": value}, carried=[OWN, ON_LO], routes=routes)
    assert told(rp_filter.look(case(Role.REALSERVER, host, interface="eth0"))) == [outcome]


@pytest.mark.parametrize(
    ("value", "addresses", "commands_told"),
    [
        ("0", [], []),
        ("2", ["tunl0"], []),
        ("1", ["tunl0"], ["sysctl -w net.ipv4.conf.tunl0.rp_filter=2"]),
        ("2", [], ["ip address add 10.0.0.100/32 dev tunl0 scope host", "sysctl -w net.ipv4.conf.tunl0.rp_filter=2"]),
    ],
)
def test_what_comes_out_of_a_tunnel_needs_a_loose_filter_and_an_address(
    value: str, addresses: list[str], commands_told: list[str]
) -> None:
    links = {name: Link(2, name, "ether", up=True) for name in ("eth0",)}
    links["tunl0"] = Link(4, "tunl0", "ipip", kind="ipip", up=True)
    carried = [OWN, ON_LO, *(address("10.0.0.100/32", name) for name in addresses)]
    host = MadeUp({"net/ipv4/conf/tunl0/rp_filter": value}, carried=carried, links=links)
    _, of_tunnel = rp_filter.look(case(Role.REALSERVER, host, interface="eth0"))
    assert of_tunnel.outcome.value == ("fail" if commands_told else "ok")
    assert commands(of_tunnel) == commands_told


class TestListening:
    def look(self, *listeners: tuple[str, int], named: bool = True) -> list[Finding]:
        sockets = [Listener("tcp", ip_address(where), port) for where, port in listeners]
        services = (parse_service("10.0.0.100:80"),) if named else ()
        host = MadeUp(carried=[OWN, ON_LO], listeners=sockets)
        return list(listening.look(case(Role.REALSERVER, host, services=services)))

    def test_on_all_addresses_or_on_the_vip_is_well(self) -> None:
        assert told(self.look(("0.0.0.0", 80))) == ["ok"]
        assert told(self.look(("10.0.0.100", 80))) == ["ok"]

    @pytest.mark.parametrize(
        ("listener", "said", "redirected"),
        [
            (("10.0.0.11", 80), "listens on 10.0.0.11 only", "dport 80 redirect;"),
            (("0.0.0.0", 8080), "httpd does at 8080", "redirect to :8080;"),
            (("127.0.0.1", 80), "listens on 127.0.0.1 only", None),
            (("0.0.0.0", 22), "start the service", None),
        ],
    )
    def test_elsewhere_is_a_failure_that_tells_where(
        self, listener: tuple[str, int], said: str, redirected: str | None
    ) -> None:
        (found,) = self.look(listener)
        assert told([found]) == ["fail"]
        assert said in found.said
        assert [redirected in command for command in commands(found)] == ([True] if redirected else [])

    def test_a_port_of_its_own_address_is_a_warning_if_no_service_is_named(self) -> None:
        assert told(self.look(("10.0.0.11", 80), named=False)) == ["warn"]
        assert told(self.look(("10.0.0.11", 22), ("0.0.0.0", 80), named=False)) == ["ok"]

    def test_nothing_at_all_is_a_warning(self) -> None:
        assert told(self.look(("0.0.0.0", 22), named=False)) == ["warn"]


def status(connections: int = 0, hook: str = "tc", there: bool = True) -> Status:
    known = Attachment(2, "eth0", hook, False, 1)
    return Status(connections, 1000, 0, ((known, there),), tuple((each, 0) for each in VERDICTS), (), {}, "", True)


@pytest.mark.parametrize(("used", "outcome"), [(0, "ok"), (799, "ok"), (800, "warn"), (950, "fail"), (1000, "fail")])
def test_a_table_is_nearly_full_before_it_is_full(used: int, outcome: str) -> None:
    assert told(fill.look(case(Role.DIRECTOR, MadeUp(), status=status(used)))) == [outcome]


def test_a_table_full_of_a_flood_is_told_apart_and_named_with_the_service_it_is_about() -> None:
    web = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
    flood = Flood(2, FloodState.ON, 1, 12.0, None, {web: FloodCounts(1000, 10, 0, 900, 10)})
    found = list(fill.look(case(Role.DIRECTOR, MadeUp(), status=replace(status(990), flood=flood))))
    assert told(found) == ["warn"]
    assert "under flood for 12 s" in found[0].looked_at
    assert "TCP 10.0.0.1:80 900 a second" in found[0].said


def test_a_table_nearly_full_without_the_defence_is_told_to_have_it() -> None:
    found = list(fill.look(case(Role.DIRECTOR, MadeUp(), status=replace(status(900), flood=Flood(0)))))
    assert told(found) == ["warn", "warn"]
    assert commands(found[1]) == ["directrix sysctl flood_defence=1"]


SERVER = ip_address("10.0.1.11")


def masquerading(host: Host, **more: Any) -> Case:
    """A director with one masqueraded real server."""
    servers = (Server(SERVER, 8080, ForwardingMethod.MASQUERADE, 1),)
    return case(Role.DIRECTOR, host, services=(replace(parse_service("10.0.0.100:80"), servers=servers),), **more)


def test_over_the_kernels_ipvs_answers_of_masqueraded_servers_must_be_let_through() -> None:
    closed = Ruleset((Chain("inet", "f", "forward", "forward", policy="drop"),))
    host = MadeUp(carried=[address("10.0.0.1/24"), address("10.0.0.100/32")], ruleset=closed)
    (found,) = filtering.look(masquerading(host, make="ipvs"))
    assert told([found]) == ["fail"]
    assert found.said == "the policy of the chain inet f forward drops its answers"
    assert commands(found) == ["nft insert rule inet f forward ip saddr 10.0.1.11 tcp sport 8080 accept"]
    assert told(filtering.look(masquerading(host, make="xdp"))) == ["ok"]


class TestForwarding:
    SETTINGS: ClassVar = {
        "net.ipv4.conf.lo.forwarding": "1",
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.eth1.forwarding": "1",
        "net.ipv4.conf.eth0.forwarding": "1",
    }

    def look(self, make: str = "xdp", **off: str) -> list[Finding]:
        changed = {key: "0" for key in self.SETTINGS if key.replace(".", "_") in off}
        host = MadeUp(self.SETTINGS | changed, carried=[address("10.0.0.100/32")])
        host.__dict__["_ways"] = {SERVER: Way("eth1")}
        return list(forwarding.look(masquerading(host, make=make)))

    def test_all_of_it_on_is_right(self) -> None:
        assert told(self.look()) == ["ok", "ok"]
        assert told(self.look("ipvs")) == ["ok"]

    def test_lo_without_it_takes_the_routes_from_the_data_plane(self) -> None:
        found = self.look(net_ipv4_conf_lo_forwarding="0")
        assert (told(found), commands(found[0])) == (["fail", "ok"], ["directrix up"])

    @pytest.mark.parametrize("key", ["net.ipv4.ip_forward", "net.ipv4.conf.eth1.forwarding"])
    def test_without_it_answers_get_through_by_our_data_plane_alone(self, key: str) -> None:
        off = {key.replace(".", "_"): "0"}
        assert told(self.look(**off)) == ["ok", "warn"]
        (found,) = self.look("ipvs", **off)
        assert (told([found]), commands(found)) == (["fail"], [f"sysctl -w {key}=1"])

    def test_where_all_is_routed_directly_only_lo_counts(self) -> None:
        assert told(forwarding.look(case(Role.DIRECTOR, MadeUp(), make="ipvs"))) == ["skip"]


class TestHooks:
    def look(self, kind: str = "", **known: Any) -> list[str]:
        host = MadeUp(links={"eth0": Link(2, "eth0", "ether", kind=kind, up=True)})
        return told(hooks.look(case(Role.DIRECTOR, host, status=status(**known), make="xdp")))

    def test_tc_is_right_for_virtual_devices_and_for_hardware_that_takes_no_xdp(self) -> None:
        assert self.look("veth") == ["ok"]
        assert self.look() == ["ok"]

    def test_generic_xdp_is_a_warning_and_a_program_that_is_gone_a_failure(self) -> None:
        assert self.look(hook="xdp-generic") == ["warn"]
        assert self.look(there=False) == ["fail"]

    @pytest.mark.parametrize(
        ("link", "outcome"),
        [
            (Link(3, "eth1", "ether", up=True), ["ok", "fail"]),
            (Link(3, "eth1", "ether", kind="vlan", parent="eth0", up=True), ["ok"]),
        ],
    )
    def test_answers_of_masqueraded_servers_must_meet_the_data_plane_too(self, link: Link, outcome: list[str]) -> None:
        host = MadeUp(links={"eth0": Link(2, "eth0", "ether", kind="veth", up=True), "eth1": link})
        host.__dict__["_ways"] = {SERVER: Way("eth1")}
        found = list(hooks.look(masquerading(host, status=status(), make="xdp")))
        assert told(found) == outcome
        assert [commands(each) for each in found[1:]] == [["directrix up --interface eth1"]][: len(found) - 1]

    def test_without_a_table_nothing_is_forwarded(self) -> None:
        assert told(hooks.look(case(Role.DIRECTOR, MadeUp(), make="xdp"))) == ["fail"]


class TestServices:
    def look(self, *weights: int, port: int = 80, method: ForwardingMethod = ForwardingMethod.DIRECT) -> list[Finding]:

        addresses: list[Address] = [ip_address(f"10.0.0.{11 + number}") for number in range(len(weights))]
        servers = tuple(Server(each, port, method, weight) for each, weight in zip(addresses, weights, strict=True))
        service = replace(parse_service("10.0.0.100:80"), servers=servers)
        return list(services.look(case(Role.DIRECTOR, MadeUp(), services=(service,))))

    def test_one_that_takes_new_connections_is_enough(self) -> None:
        assert told(self.look(1, 0)) == ["ok"]

    def test_none_is_a_failure(self) -> None:
        assert told(self.look()) == ["fail"]
        (found,) = self.look(0, 0)
        assert commands(found) == ["directrix ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 1"]

    @pytest.mark.parametrize(
        ("scheduler", "flags", "weights", "advised"),
        [
            ("mh", SchedulerFlags.NONE, (1, 0), "-s mh -b mh-fallback -p 300"),
            ("mh", SchedulerFlags.FLAG_2, (1, 0, 0), "-s mh -b mh-fallback,mh-port -p 300"),
            ("sh", SchedulerFlags.NONE, (1, 0), "-s sh -b sh-fallback -p 300"),
            ("mh", SchedulerFlags.FLAG_1, (1, 0), None),
            ("mh", SchedulerFlags.NONE, (1, 1), None),
            ("wlc", SchedulerFlags.NONE, (1, 0), None),
        ],
    )
    def test_a_hash_that_leads_to_a_quiesced_server_refuses_without_fallback(
        self, scheduler: str, flags: SchedulerFlags, weights: tuple[int, ...], advised: str | None
    ) -> None:
        plain = parse_service("10.0.0.100:80")
        servers = tuple(
            Server(ip_address(f"10.0.0.{11 + number}"), 80, ForwardingMethod.DIRECT, weight)
            for number, weight in enumerate(weights)
        )
        definition = VirtualService(plain.key, scheduler, scheduler_flags=flags, persistence=300)
        service = replace(plain, servers=servers, definition=definition)
        [_, *found] = services.look(case(Role.DIRECTOR, MadeUp(), services=(service,)))
        assert told(found) == (["warn"] if advised else [])
        assert [commands(each) for each in found] == (
            [[f"directrix ipvsadm -E -t 10.0.0.100:80 {advised}"]] if advised else []
        )

    def test_another_port_means_nothing_in_direct_routing(self) -> None:
        (_, found) = self.look(3, port=8080)
        assert commands(found) == [
            "directrix ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.11:8080",
            "directrix ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 3",
        ]
        assert told(self.look(3, port=8080, method=ForwardingMethod.MASQUERADE)) == ["ok"]


class AtHome(MadeUp):
    """A host whose own addresses are local."""

    def way_to(self, other: Address, source: Address | None = None) -> Way:
        return Way("lo", None, other, local=other.is_loopback or any(each.address == other for each in self.carried))


class TestThisHost:
    def look(
        self, *listeners: str, weight: int = 1, method: ForwardingMethod = ForwardingMethod.DIRECT, make: str = "xdp"
    ) -> list[Finding]:
        addresses = ("10.0.0.11", "127.0.0.1", "10.0.0.100", "10.0.0.12")
        servers = tuple(Server(ip_address(each), 80, method, weight) for each in addresses)
        host = AtHome(carried=[OWN, VIP_HERE], listeners=[Listener("tcp", ip_address(each), 80) for each in listeners])
        service = replace(parse_service("10.0.0.100:80"), servers=servers)
        return list(this_host.look(case(Role.DIRECTOR, host, services=(service,), make=make)))

    def test_whoever_listens_for_the_vip_serves_it_by_each_of_its_addresses(self) -> None:
        assert told(self.look("0.0.0.0")) == ["ok", "ok", "ok"]
        assert told(self.look("10.0.0.100", method=ForwardingMethod.TUNNEL)) == ["ok", "ok", "ok"]

    def test_what_our_data_plane_masquerades_to_this_host_is_still_for_the_vip(self) -> None:
        assert told(self.look("10.0.0.11", method=ForwardingMethod.MASQUERADE)) == ["fail", "fail", "fail"]
        assert told(self.look("10.0.0.11", method=ForwardingMethod.MASQUERADE, make="ipvs")) == ["skip"]

    def test_nobody_there_is_a_failure_only_while_clients_come_and_no_packet_is_redirected(self) -> None:
        assert told(self.look("10.0.0.11")) == ["fail", "fail", "fail"]
        assert all("redirect" not in command for found in self.look("10.0.0.11") for command in commands(found))
        assert told(self.look("127.0.0.1", weight=0)) == ["warn", "warn", "warn"]

    def test_of_other_hosts_nothing_is_said(self) -> None:
        assert told(this_host.look(case(Role.DIRECTOR, AtHome()))) == ["skip"]


class Routed(MadeUp):
    """A host whose way to everything leaves from one address."""

    def __init__(self, source: str, **facts: Any) -> None:
        super().__init__(**facts)
        self.source = source

    def way_to(self, other: Address, source: Address | None = None) -> Way:
        return Way("eth0", None, ip_address(self.source))


class TestOwnAddress:
    VIP6 = ip_address("fd00::100")

    def look(self, source: str) -> list[Finding]:
        service = replace(
            parse_service("[fd00::100]:80"), servers=(Server(ip_address("fd00::11"), 80, ForwardingMethod.DIRECT, 1),)
        )
        host = Routed(source, carried=[address("fd00::1/64"), address("fd00::100/64")])
        return list(own_address.look(Case(host, Role.DIRECTOR, (self.VIP6,), (service,))))

    def test_checks_that_would_come_from_an_ipv6_vip_are_a_warning(self) -> None:
        assert told(self.look("fd00::1")) == ["ok"]
        (found,) = self.look("fd00::100")
        assert (told([found]), commands(found)) == (
            ["warn"],
            ["ip address change fd00::100/64 dev eth0 preferred_lft 0"],
        )


def test_the_guide_tells_of_every_break_and_of_every_check_that_finds_one() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
    rows = [[cell.strip().strip("`") for cell in row.split("|")[1:-1]] for row in guide.splitlines() if row[:1] == "|"]
    assert {name for row in rows[2:] for name in re.findall(r"[a-z0-9-]+", row[3])} == set(BREAKS)
    named = {name for row in rows[2:] for name in re.findall(r"[a-z-]{3,}", row[2].partition(" (")[0])}
    assert named <= set(CHECKS)
    assert {each.check for each in EVERY} - named <= {"prepared", "client-path"}
