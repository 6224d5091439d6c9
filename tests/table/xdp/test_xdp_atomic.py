"""An atomic restore over the table in eBPF maps: whole, or as it was, connections and all."""

from __future__ import annotations

import errno
import io

import pytest
from data_plane import HTTP, VIP, DataPlane
from frames import ACK, TCP, packet

from directrix.ipvsadm.command import main
from directrix.lvs import RealServer, ServiceKey, TableError
from directrix.table.interface import Table
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root


class Surprising(XdpTable):
    """One that refuses the address 10.9.9.9 when it comes to it."""

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        if str(server.address) == "10.9.9.9":
            raise TableError(errno.EINVAL)
        super().add_server(key, server)


def restore(plane: DataPlane, stdin: str) -> tuple[int, str]:
    def open_table(*, create: bool) -> Table:
        return Surprising(plane.place)

    told = io.StringIO()
    return main(["-R", "--atomic"], open_table, io.StringIO(stdin), io.StringIO(), told), told.getvalue()


def directed(plane: DataPlane) -> dict[int, str]:
    """Which real server each connection goes to, by the client's port."""
    return {entry.client_port: str(entry.server) for entry in plane.table.connections()}


def listed(plane: DataPlane) -> str:
    out = io.StringIO()
    main(["-L", "-n", "--nosort"], lambda *, create: XdpTable(plane.place), (), out, out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m",
            "masquerading to another port of this host itself (10.0.0.2 port 8080) is not supported by this table yet",
        ),
        ("-A -u 10.0.0.1:5060 --pe sip", "the persistence engine sip is not supported by this table yet"),
        ("-d -t 10.0.0.1:80 -r 10.0.0.99", "No such destination"),
        (
            "-a -t 10.0.0.1:81 -r 10.9.9.9",
            "Invalid operation.  Possibly wrong module version, address not unicast, ...",
        ),
    ],
)
def test_of_lines_one_of_which_is_wrong_none_is_carried_out(plane: DataPlane, last: str, fault: str) -> None:
    plane.serve(HTTP, 1, 2, 3, scheduler="wrr")
    for port in range(1024, 1030):
        plane.tc(packet(TCP, VIP, 80, port))
    before, connections = listed(plane), directed(plane)
    assert len(connections) == 6
    text = f"-d -t 10.0.0.1:80 -r 10.0.0.12\n-E -t 10.0.0.1:80 -s lc\n-A -t 10.0.0.1:81\n{last}\n-C\n"
    assert restore(plane, text) == (255, f"line 4, column 1: {fault}; nothing was changed\n")
    assert listed(plane) == before
    assert directed(plane) == connections
    for port in range(1024, 1030):
        assert plane.deliver("tc", packet(TCP, VIP, 80, port, flags=ACK))[0] == "forwarded"


def test_lines_that_are_right_are_in_force_at_once(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1)
    assert restore(plane, "-C\n-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.11\n--set 9 8 7\n") == (0, "")
    assert listed(plane).endswith(
        "TCP  10.0.0.1:80 rr\n  -> 10.0.0.11:80                 Route   1      0          0         \n"
    )
    assert plane.table.timeouts().tcp == 9
    assert plane.deliver("tc", packet(TCP, VIP, 80))[0] == "forwarded"
