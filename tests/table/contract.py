"""What every make of the table promises to those who write to it.

A make is held to it by a subclass with a fixture `table` that gives a new, empty table. What a
make can't do yet is among what the subclass says that it `lacks`, and refused with EOPNOTSUPP.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from directrix.lvs import (
    Counters,
    Family,
    ForwardingMethod,
    Protocol,
    Rates,
    RealServer,
    SchedulerFlags,
    ServiceKey,
    Timeouts,
    Tunnel,
    TunnelType,
    VirtualService,
    parse_address,
)
from directrix.lvs.errors import TableError
from directrix.lvs.service import default_netmask
from directrix.lvs.sysctls import OF_IPVS, SysctlValue
from directrix.scheduling import ALGORITHMS
from directrix.table.interface import Table

HTTP = ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 80)
DNS = ServiceKey.of(Protocol.UDP, parse_address("10.0.0.1"), 53)
HTTP6 = ServiceKey.of(Protocol.TCP, parse_address("fd00::1"), 80)
DIAMETER = ServiceKey.of(Protocol.SCTP, parse_address("10.0.0.1"), 3868)
MARK = ServiceKey.mark(5)
MARK6 = ServiceKey.mark(5, Family.INET6)

KEYS = pytest.mark.parametrize("key", [HTTP, DNS, HTTP6, DIAMETER, MARK, MARK6], ids=str)

NOT_UNICAST = ["224.0.0.1", "255.255.255.255", "0.0.0.0"]
NOT_UNICAST6 = ["ff02::1", "fe80::1", "::"]


def a_service(key: ServiceKey = HTTP, scheduler: str = "wlc") -> VirtualService:
    """A service with nothing special."""
    return VirtualService(key, scheduler, netmask=default_netmask(key.family))


def a_server(address: str = "10.0.0.11", port: int = 80, weight: int = 1) -> RealServer:
    """A real server with nothing special."""
    return RealServer(parse_address(address), port, weight=weight)


def servers(table: Table, key: ServiceKey = HTTP) -> list[RealServer]:
    """The real servers of a service in the order of the table."""
    return [state.server for state in table.service(key).servers]


@contextlib.contextmanager
def refused(number: int) -> Iterator[None]:
    """The block is refused with this error number."""
    with pytest.raises(TableError) as caught:
        yield
    assert errno.errorcode[caught.value.errno] == errno.errorcode[number], caught.value


class TableContract:
    """Services, real servers, zeroing and timeouts: what IPVS answers, in IPVS's order of checks."""

    lacks: ClassVar[frozenset[ForwardingMethod | str]] = frozenset()
    """Forwarding methods and persistence engines of IPVS's that the make can't do yet."""

    starts_otherwise: ClassVar[set[str]] = {"sync_qlen_max", "debug_level"}
    """Sysctls that a table may start with another value of: IPVS reckons one, and only a debug build has the other."""

    def refused_if_lacking(self, what: ForwardingMethod | str) -> contextlib.AbstractContextManager[None]:
        """The block is refused as not supported if it asks for what the make lacks."""
        return refused(errno.EOPNOTSUPP) if what in self.lacks else contextlib.nullcontext()

    # -- services

    def test_a_new_table_is_empty(self, table: Table) -> None:
        assert table.services() == []
        assert list(table.connections()) == []
        assert table.totals() == (Counters(), Rates())
        assert table.size > 0

    @KEYS
    def test_a_service_is_listed_as_it_was_added(self, table: Table, key: ServiceKey) -> None:
        table.add_service(a_service(key))
        state = table.service(key)
        assert state.service == a_service(key)
        assert state.servers == ()
        assert state.counters == Counters()
        assert state.rates == Rates()
        assert table.services() == [state]

    @pytest.mark.parametrize(
        "service",
        [
            VirtualService(HTTP, "rr", persistence=360),
            VirtualService(HTTP, "rr", persistence=360, netmask=0xFFFFFF00),
            VirtualService(HTTP, "rr", netmask=0xFFFF0000),
            VirtualService(HTTP, "rr", netmask=0x00FF00FF, persistence=1),
            VirtualService(HTTP6, "rr", persistence=1, netmask=64),
            VirtualService(DNS, "rr", one_packet=True),
            VirtualService(DNS, "wrr", SchedulerFlags.FLAG_1 | SchedulerFlags.FLAG_3),
            VirtualService(HTTP, "none"),
        ],
        ids=[
            "persistent",
            "persistent by network",
            "mask without persistence",
            "mask with a gap",
            "IPv6 prefix",
            "one packet",
            "scheduler flags",
            "no scheduler",
        ],
    )
    def test_every_attribute_of_a_service_is_kept(self, table: Table, service: VirtualService) -> None:
        table.add_service(service)
        assert table.service(service.key).service == service

    @pytest.mark.parametrize("scheduler", ALGORITHMS)
    def test_every_scheduler_of_ipvs_is_kept_by_name(self, table: Table, scheduler: str) -> None:
        table.add_service(a_service(scheduler=scheduler))
        assert table.service(HTTP).service.scheduler == scheduler

    def test_one_after_another_services_are_the_same(self, table: Table) -> None:
        for key in (HTTP, DNS):
            table.add_service(VirtualService(key))
        table.add_server(HTTP, a_server())
        assert list(table.each_service()) == table.services()

    def test_the_host_is_followed_where_nothing_has_changed(self, table: Table) -> None:
        table.add_service(VirtualService(HTTP))
        table.add_server(HTTP, a_server())
        assert not table.follow_host()

    def test_protocol_address_and_port_make_different_services(self, table: Table) -> None:
        keys = {
            HTTP,
            ServiceKey.of(Protocol.UDP, parse_address("10.0.0.1"), 80),
            ServiceKey.of(Protocol.SCTP, parse_address("10.0.0.1"), 80),
            ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 81),
            ServiceKey.of(Protocol.TCP, parse_address("10.0.0.2"), 80),
            ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 0),
            HTTP6,
        }
        for key in keys:
            table.add_service(a_service(key))
        assert {state.service.key for state in table.services()} == keys

    @KEYS
    def test_a_service_can_be_added_once(self, table: Table, key: ServiceKey) -> None:
        table.add_service(a_service(key, "rr"))
        with refused(errno.EEXIST):
            table.add_service(a_service(key, "wrr"))
        assert table.service(key).service.scheduler == "rr"

    def test_a_service_deleted_can_be_added_again(self, table: Table) -> None:
        table.add_service(a_service(scheduler="rr"))
        table.add_server(HTTP, a_server())
        table.delete_service(HTTP)
        table.add_service(a_service(scheduler="wrr"))
        assert table.service(HTTP).service.scheduler == "wrr"
        assert servers(table) == []

    @pytest.mark.parametrize(
        "operation",
        [
            lambda table: table.service(HTTP),
            lambda table: table.edit_service(a_service()),
            lambda table: table.delete_service(HTTP),
            lambda table: table.zero(HTTP),
            lambda table: table.add_server(HTTP, a_server()),
            lambda table: table.edit_server(HTTP, a_server()),
            lambda table: table.delete_server(HTTP, parse_address("10.0.0.11"), 80),
        ],
        ids=["show", "edit", "delete", "zero", "add server", "edit server", "delete server"],
    )
    def test_without_the_service_there_is_esrch(self, table: Table, operation: Callable[[Table], None]) -> None:
        table.add_service(a_service(DNS))
        with refused(errno.ESRCH):
            operation(table)

    @pytest.mark.parametrize("name", ["nonsense", "", "WLC", "wlc "])
    def test_an_unknown_scheduler_is_enoent(self, table: Table, name: str) -> None:
        with refused(errno.ENOENT):
            table.add_service(a_service(scheduler=name))
        assert table.services() == []
        table.add_service(a_service())
        with refused(errno.ENOENT):
            table.edit_service(a_service(scheduler=name))
        assert table.service(HTTP).service == a_service()

    def test_an_unknown_persistence_engine_is_enoent(self, table: Table) -> None:
        with refused(errno.ENOENT):
            table.add_service(VirtualService(DNS, persistence=360, engine="nonsense"))
        assert table.services() == []

    def test_the_engine_of_ipvs_is_kept_by_name_or_refused_as_not_supported(self, table: Table) -> None:
        calls = VirtualService(DNS, persistence=360, engine="sip")
        with self.refused_if_lacking("sip"):
            table.add_service(calls)
        assert [state.service for state in table.services()] == ([] if "sip" in self.lacks else [calls])

    @pytest.mark.parametrize("length", [0, 129])
    def test_an_ipv6_prefix_out_of_range_is_einval(self, table: Table, length: int) -> None:
        with refused(errno.EINVAL):
            table.add_service(VirtualService(HTTP6, netmask=length))
        assert table.services() == []
        table.add_service(a_service(HTTP6))
        with refused(errno.EINVAL):
            table.edit_service(VirtualService(HTTP6, netmask=length))
        assert table.service(HTTP6).service == a_service(HTTP6)

    def test_the_service_is_looked_up_before_its_scheduler(self, table: Table) -> None:
        with refused(errno.ESRCH):
            table.edit_service(a_service(scheduler="nonsense"))
        table.add_service(a_service())
        with refused(errno.EEXIST):
            table.add_service(a_service(scheduler="nonsense"))

    def test_the_scheduler_is_looked_up_before_the_netmask(self, table: Table) -> None:
        with refused(errno.ENOENT):
            table.add_service(VirtualService(HTTP6, "nonsense", netmask=0))

    def test_an_edit_replaces_everything_but_the_servers(self, table: Table) -> None:
        table.add_service(VirtualService(DNS, "rr", SchedulerFlags.FLAG_2, 360, 0xFFFFFF00, True))
        table.add_server(DNS, a_server(port=53))
        table.edit_service(VirtualService(DNS, "wrr"))
        assert table.service(DNS).service == VirtualService(DNS, "wrr")
        assert servers(table, DNS) == [a_server(port=53)]

    def test_deleting_a_service_leaves_the_others(self, table: Table) -> None:
        for key in (HTTP, DNS):
            table.add_service(a_service(key))
            table.add_server(key, a_server(port=key.port))
        table.delete_service(HTTP)
        assert [state.service.key for state in table.services()] == [DNS]
        assert servers(table, DNS) == [a_server(port=53)]

    def test_flush_removes_every_service(self, table: Table) -> None:
        for key in (HTTP, DNS, HTTP6):
            table.add_service(a_service(key))
        table.add_server(HTTP, a_server())
        table.flush()
        assert table.services() == []
        table.flush()

    # -- real servers

    def test_real_servers_are_listed_newest_first(self, table: Table) -> None:
        table.add_service(a_service())
        added = [a_server(f"10.0.0.{11 + i}", weight=i) for i in range(20)]
        for server in added:
            table.add_server(HTTP, server)
        assert servers(table) == added[::-1]

    def test_a_real_server_edited_stays_in_its_place(self, table: Table) -> None:
        table.add_service(a_service())
        for last in (11, 12, 13):
            table.add_server(HTTP, a_server(f"10.0.0.{last}"))
        table.edit_server(HTTP, a_server("10.0.0.12", weight=7))
        assert [(str(server.address), server.weight) for server in servers(table)] == [
            ("10.0.0.13", 1),
            ("10.0.0.12", 7),
            ("10.0.0.11", 1),
        ]

    def test_a_real_server_removed_and_added_again_is_the_newest(self, table: Table) -> None:
        table.add_service(a_service())
        for last in (11, 12, 13):
            table.add_server(HTTP, a_server(f"10.0.0.{last}"))
        table.delete_server(HTTP, parse_address("10.0.0.11"), 80)
        assert [str(server.address) for server in servers(table)] == ["10.0.0.13", "10.0.0.12"]
        table.add_server(HTTP, a_server("10.0.0.11"))
        assert [str(server.address) for server in servers(table)] == ["10.0.0.11", "10.0.0.13", "10.0.0.12"]

    def test_a_new_real_server_has_nothing_counted(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server())
        (state,) = table.service(HTTP).servers
        assert (state.active, state.inactive, state.persistent) == (0, 0, 0)
        assert state.counters == Counters()
        assert state.rates == Rates()

    def test_the_port_is_part_of_what_identifies_a_real_server(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server(port=80))
        table.add_server(HTTP, a_server(port=8080))
        assert servers(table) == [a_server(port=8080), a_server(port=80)]

    def test_the_method_is_not_part_of_what_identifies_a_real_server(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server())
        table.add_server(HTTP, RealServer(parse_address("10.0.0.12"), 80, ForwardingMethod.MASQUERADE))
        with refused(errno.EEXIST):
            table.add_server(HTTP, RealServer(a_server().address, 80, ForwardingMethod.MASQUERADE))

    def test_one_real_server_serves_two_services_independently(self, table: Table) -> None:
        for key in (HTTP, DNS):
            table.add_service(a_service(key))
            table.add_server(key, a_server(port=80))
        table.edit_server(HTTP, a_server(weight=9))
        assert servers(table, DNS) == [a_server(weight=1)]
        table.delete_server(HTTP, parse_address("10.0.0.11"), 80)
        assert servers(table, HTTP) == []
        assert servers(table, DNS) == [a_server(weight=1)]

    def test_ipv6_real_servers_serve_ipv6_services(self, table: Table) -> None:
        table.add_service(a_service(HTTP6))
        table.add_server(HTTP6, a_server("fd00::11"))
        assert servers(table, HTTP6) == [a_server("fd00::11")]

    @pytest.mark.parametrize("method", ForwardingMethod)
    def test_every_method_is_kept_or_refused_as_not_supported(self, table: Table, method: ForwardingMethod) -> None:
        table.add_service(a_service())
        server = RealServer(parse_address("10.0.0.11"), 80, method)
        with self.refused_if_lacking(method):
            table.add_server(HTTP, server)
        assert servers(table) == ([] if method in self.lacks else [server])

    def test_tunnel_data_are_kept(self, table: Table) -> None:
        table.add_service(a_service())
        server = RealServer(
            parse_address("10.0.0.11"), 80, ForwardingMethod.TUNNEL, tunnel=Tunnel(TunnelType.GUE, port=6080)
        )
        table.add_server(HTTP, server)
        assert servers(table) == [server]

    @pytest.mark.parametrize("weight", [0, 1, 65535, 0x7FFFFFFF])
    def test_weights_are_kept_up_to_31_bits(self, table: Table, weight: int) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server(weight=weight))
        assert servers(table) == [a_server(weight=weight)]

    @pytest.mark.parametrize(("upper", "lower"), [(1, 0), (1, 1), (10, 5), (0x7FFFFFFF, 0x7FFFFFFF)])
    def test_thresholds_are_kept(self, table: Table, upper: int, lower: int) -> None:
        table.add_service(a_service())
        server = RealServer(parse_address("10.0.0.11"), 80, upper_threshold=upper, lower_threshold=lower)
        table.add_server(HTTP, server)
        assert servers(table) == [server]

    def test_an_edit_replaces_a_real_server_as_a_whole(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, RealServer(parse_address("10.0.0.11"), 80, ForwardingMethod.MASQUERADE, 5, 10, 5))
        table.edit_server(HTTP, RealServer(parse_address("10.0.0.11"), 80))
        assert servers(table) == [RealServer(parse_address("10.0.0.11"), 80, ForwardingMethod.DIRECT, 1, 0, 0)]

    def test_a_real_server_can_be_added_once(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server(weight=3))
        with refused(errno.EEXIST):
            table.add_server(HTTP, a_server(weight=4))
        assert servers(table) == [a_server(weight=3)]

    def test_without_the_real_server_there_is_enoent(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server("10.0.0.11"))
        with refused(errno.ENOENT):
            table.edit_server(HTTP, a_server("10.0.0.12"))
        with refused(errno.ENOENT):
            table.edit_server(HTTP, a_server("10.0.0.11", port=81))
        with refused(errno.ENOENT):
            table.delete_server(HTTP, parse_address("10.0.0.12"), 80)
        with refused(errno.ENOENT):
            table.delete_server(HTTP, parse_address("10.0.0.11"), 81)
        assert servers(table) == [a_server("10.0.0.11")]

    @pytest.mark.parametrize(
        ("server", "number"),
        [
            (a_server(weight=-1), errno.ERANGE),
            (RealServer(parse_address("10.0.0.11"), 80, upper_threshold=4, lower_threshold=5), errno.ERANGE),
            (RealServer(parse_address("10.0.0.11"), 80, lower_threshold=1), errno.ERANGE),
            (
                RealServer(
                    parse_address("10.0.0.11"), 80, ForwardingMethod.TUNNEL, tunnel=Tunnel(TunnelType.GUE, port=0)
                ),
                errno.EINVAL,
            ),
            (a_server("fd00::11"), errno.EINVAL),
        ],
        ids=["negative weight", "thresholds reversed", "lower without upper", "GUE without port", "other family"],
    )
    def test_values_that_make_no_sense_are_refused_in_adding_and_editing(
        self, table: Table, server: RealServer, number: int
    ) -> None:
        table.add_service(a_service())
        with refused(number):
            table.add_server(HTTP, server)
        assert servers(table) == []
        table.add_server(HTTP, a_server())
        with refused(number):
            table.edit_server(HTTP, server)
        assert servers(table) == [a_server()]

    @pytest.mark.parametrize(
        ("key", "address"),
        [*((HTTP, address) for address in NOT_UNICAST), *((HTTP6, address) for address in NOT_UNICAST6)],
    )
    def test_an_address_that_is_not_unicast_is_einval(self, table: Table, key: ServiceKey, address: str) -> None:
        table.add_service(a_service(key))
        with refused(errno.EINVAL):
            table.add_server(key, a_server(address))
        assert servers(table, key) == []

    def test_an_ipv4_real_server_of_an_ipv6_service_is_einval(self, table: Table) -> None:
        table.add_service(a_service(HTTP6))
        with refused(errno.EINVAL):
            table.add_server(HTTP6, a_server("10.0.0.11"))

    def test_the_values_are_checked_before_the_real_server_is_looked_up(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server())
        with refused(errno.ERANGE):
            table.add_server(HTTP, a_server(weight=-1))
        with refused(errno.ERANGE):
            table.edit_server(HTTP, a_server("10.0.0.12", weight=-1))

    def test_the_service_is_looked_up_before_the_values_are_checked(self, table: Table) -> None:
        with refused(errno.ESRCH):
            table.add_server(HTTP, a_server(weight=-1))

    def test_the_weight_is_checked_before_the_address(self, table: Table) -> None:
        table.add_service(a_service())
        with refused(errno.ERANGE):
            table.add_server(HTTP, a_server("224.0.0.1", weight=-1))

    # -- counters, timeouts, transactions

    def test_zeroing_changes_no_definition(self, table: Table) -> None:
        table.add_service(a_service())
        table.add_server(HTTP, a_server())
        before = table.services()
        table.zero(HTTP)
        table.zero()
        assert table.services() == before

    def test_timeouts_are_those_of_ipvs_until_set(self, table: Table) -> None:
        assert table.timeouts() == Timeouts(900, 120, 300)
        table.set_timeouts(Timeouts(1000, 100, 10))
        assert table.timeouts() == Timeouts(1000, 100, 10)

    @pytest.mark.parametrize(
        ("asked", "result"),
        [
            (Timeouts(0, 0, 0), Timeouts(900, 120, 300)),
            (Timeouts(5, 0, 0), Timeouts(5, 120, 300)),
            (Timeouts(0, 6, 0), Timeouts(900, 6, 300)),
            (Timeouts(0, 0, 7), Timeouts(900, 120, 7)),
        ],
    )
    def test_a_timeout_of_zero_keeps_the_one_in_force(self, table: Table, asked: Timeouts, result: Timeouts) -> None:
        table.set_timeouts(asked)
        assert table.timeouts() == result

    def test_sysctls_are_ipvss_own_until_set_and_outlive_a_flush(self, table: Table) -> None:
        wanted = {name: known.default for name, known in OF_IPVS.items() if name not in self.starts_otherwise}
        assert {name: value for name, value in table.sysctls().items() if name in wanted} == wanted
        table.set_sysctls({"conn_reuse_mode": 3, "sync_threshold": (5, 9)})
        table.flush()
        assert table.sysctls()["conn_reuse_mode"] == 3
        assert table.sysctls()["sync_threshold"] == (5, 9)

    @pytest.mark.parametrize(
        ("bad", "number"),
        [({"drop_entry": 4}, errno.EINVAL), ({"sync_ports": 3}, errno.EINVAL), ({"no_such": 1}, errno.ENOENT)],
    )
    def test_of_sysctls_all_are_set_or_none(self, table: Table, bad: dict[str, SysctlValue], number: int) -> None:
        before = table.sysctls()
        with refused(number):
            table.set_sysctls({"sloppy_tcp": 1, **bad})
        assert table.sysctls() == before

    def test_timeouts_outlive_a_flush(self, table: Table) -> None:
        table.set_timeouts(Timeouts(1, 2, 3))
        table.flush()
        assert table.timeouts() == Timeouts(1, 2, 3)

    def test_changes_between_begin_and_commit_are_in_force_after_it(self, table: Table) -> None:
        table.begin()
        table.add_service(a_service())
        for last in range(1, 51):
            table.add_server(HTTP, a_server(f"10.0.1.{last}"))
        table.edit_server(HTTP, a_server("10.0.1.1", weight=5))
        table.delete_server(HTTP, parse_address("10.0.1.50"), 80)
        table.commit()
        assert len(servers(table)) == 49
        assert servers(table)[0] == a_server("10.0.1.49")
        assert servers(table)[-1] == a_server("10.0.1.1", weight=5)

    def test_a_refusal_between_begin_and_commit_leaves_the_changes_before_it(self, table: Table) -> None:
        table.begin()
        table.add_service(a_service())
        with refused(errno.EEXIST):
            table.add_service(a_service())
        table.commit()
        assert [state.service for state in table.services()] == [a_service()]

    # -- the connections of one real server

    @pytest.mark.parametrize("operation", ["count_connections", "end_connections", "forget_clients"])
    def test_connections_are_those_of_a_real_server_that_is_there(self, table: Table, operation: str) -> None:
        act = getattr(table, operation)
        server = a_server()
        with refused(errno.ESRCH):
            act(HTTP, *server.key)
        table.add_service(a_service())
        with refused(errno.ENOENT):
            act(HTTP, *server.key)
        table.add_server(HTTP, server)
        with refused(errno.ENOENT):
            act(HTTP, server.address, 81)
        assert not act(HTTP, *server.key)
        assert servers(table) == [server]
