"""What save prints, restore reads."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.ipvsadm.command import main
from directrix.ipvsadm.restore import command_lines
from directrix.lvs import (
    Address,
    Family,
    ForwardingMethod,
    Protocol,
    RealServer,
    SchedulerFlags,
    ServiceKey,
    Tunnel,
    TunnelFlags,
    TunnelType,
    VirtualService,
)
from directrix.lvs.addresses import family_of
from directrix.lvs.errors import TableError
from directrix.lvs.service import default_netmask
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-A -t a:1\n", [["-A", "-t", "a:1"]]),
        ("ipvsadm -C\nipvsadm ipvsadm\n\n -L\n", [["-C"], ["-L"]]),
        ("-A\r-t a:1\r\n", [["-A", "-t", "a:1"]]),
        ('-s "r r" # x\n', [["-s", '"r', 'r"', "#", "x"]]),
        ("-s\u00a0rr\x0b\n", [["-s\u00a0rr\x0b"]]),
        ("-C\n-L", [["-C"], ["-L"]]),
        ("-C\n-L ", [["-C"], ["-L"]]),
        ("-C\n-L  ", [["-C"]]),
        ("", []),
    ],
)
def test_lines_are_cut_at_blanks_alone(text: str, words: list[list[str]]) -> None:
    assert list(command_lines(io.StringIO(text, newline="\n"))) == words


TUNNELS = st.one_of(
    st.just(Tunnel()),
    st.builds(
        Tunnel,
        st.just(TunnelType.GUE),
        st.integers(1, 65535),
        st.sampled_from([TunnelFlags.NOCSUM, TunnelFlags.CSUM, TunnelFlags.REMCSUM]),
    ),
    st.builds(Tunnel, st.just(TunnelType.GRE), st.just(0), st.sampled_from([TunnelFlags.NOCSUM, TunnelFlags.CSUM])),
)


@st.composite
def keys(draw: st.DrawFn) -> ServiceKey:
    if draw(st.booleans()):
        return ServiceKey.mark(draw(st.integers(1, 2**31 - 1)), draw(st.sampled_from(Family)))
    return ServiceKey.of(draw(st.sampled_from(Protocol)), draw(st.ip_addresses()), draw(st.integers(0, 65535)))


@st.composite
def services(draw: st.DrawFn) -> VirtualService:
    key = draw(keys())
    persistent = draw(st.booleans()) or not (key.port or key.fwmark)
    masks = st.integers(0, 2**32 - 1) if key.family is Family.INET else st.integers(1, 128)
    scheduler = draw(st.sampled_from(["rr", "wrr", "lc", "wlc", "sh", "mh"]))
    highest = SchedulerFlags.FLAG_2 if scheduler in ("sh", "mh") else SchedulerFlags.FLAG_3
    return VirtualService(
        key,
        scheduler,
        SchedulerFlags(draw(st.integers(0, 2 * highest // 8 - 1)) * 8),
        draw(st.integers(1, 2678400)) if persistent else 0,
        draw(masks) if persistent else default_netmask(key.family),
        key.protocol in (None, Protocol.UDP) and draw(st.booleans()),
    )


@st.composite
def servers(draw: st.DrawFn, key: ServiceKey) -> RealServer:
    address: Address = draw(st.ip_addresses())
    methods = [ForwardingMethod.TUNNEL]
    if family_of(address) is key.family:
        methods += [ForwardingMethod.DIRECT, ForwardingMethod.MASQUERADE]
    method = draw(st.sampled_from(methods))
    port = draw(st.integers(0, 65535)) if key.fwmark or method is ForwardingMethod.MASQUERADE else key.port
    tunnel = draw(TUNNELS) if method is ForwardingMethod.TUNNEL else Tunnel()
    return RealServer(address, port, method, draw(st.integers(0, 2**31 - 1)), tunnel=tunnel)


@st.composite
def tables(draw: st.DrawFn) -> MemoryTable:
    table = MemoryTable()
    for service in draw(st.lists(services(), max_size=4, unique_by=lambda service: service.key)):
        table.add_service(service)
        for server in draw(st.lists(servers(service.key), max_size=4, unique_by=lambda server: server.key)):
            try:
                table.add_server(service.key, server)
            except TableError:
                continue  # an address that is no real server's
    return table


def content(table: Table) -> dict[VirtualService, set[RealServer]]:
    return {state.service: {server.server for server in state.servers} for state in table.services()}


def run(table: Table, words: list[str], stdin: str = "") -> str:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(words, lambda *, create: table, io.StringIO(stdin), stdout, stderr)
    assert (status, stderr.getvalue()) == (0, "")
    return stdout.getvalue()


@given(tables())
def test_a_saved_table_is_restored_as_it_was(table: MemoryTable) -> None:
    restored = MemoryTable()
    run(restored, ["-R"], run(table, ["-S", "-n"]))
    assert content(restored) == content(table)
