"""The JSON listings: every field by its name."""

from __future__ import annotations

import io
import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from directrix.ipvsadm.as_json import connections_as_json
from directrix.ipvsadm.command import main
from directrix.lvs import Connection, ConnectionFlags
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.table.interface import Table
from directrix.table.memory import MemoryTable

ZEROS = {"connections": 0, "in_packets": 0, "out_packets": 0, "in_bytes": 0, "out_bytes": 0}


def run(table: Table, *lines: str) -> Any:
    for line in lines:
        stdout, stderr = io.StringIO(), io.StringIO()
        assert main(line.split(), lambda *, create: table, (), stdout, stderr) == 0, stderr.getvalue()
    return json.loads(stdout.getvalue())


def test_a_table_has_all_there_is() -> None:
    shown = run(
        MemoryTable(),
        "-A -t 10.0.0.1:80 -s sh -b sh-port -p 60 -M 255.255.255.0",
        "-a -t 10.0.0.1:80 -r 10.0.0.11 -w 3 -x 20 -y 10",
        "-a -t 10.0.0.1:80 -r 10.0.0.12 -i --tun-type gue --tun-port 6080 --tun-csum",
        "-A -f 7 -6 -s rr -o",
        "-L --json",
    )
    assert shown == {
        "version": "1.2.1",
        "size": 4096,
        "services": [
            {
                "family": "inet",
                "protocol": "tcp",
                "address": "10.0.0.1",
                "port": 80,
                "scheduler": "sh",
                "scheduler_flags": ["sh-port"],
                "persistence": 60,
                "netmask": "255.255.255.0",
                "one_packet": False,
                "engine": None,
                "counters": ZEROS,
                "rates": ZEROS,
                "servers": [
                    {
                        "address": "10.0.0.11",
                        "port": 80,
                        "method": "direct",
                        "weight": 3,
                        "upper_threshold": 20,
                        "lower_threshold": 10,
                        "active": 0,
                        "inactive": 0,
                        "persistent": 0,
                        "counters": ZEROS,
                        "rates": ZEROS,
                    },
                    {
                        "address": "10.0.0.12",
                        "port": 80,
                        "method": "tunnel",
                        "tunnel": {"type": "gue", "port": 6080, "checksum": "csum"},
                        "weight": 1,
                        "upper_threshold": 0,
                        "lower_threshold": 0,
                        "active": 0,
                        "inactive": 0,
                        "persistent": 0,
                        "counters": ZEROS,
                        "rates": ZEROS,
                    },
                ],
            },
            {
                "family": "inet6",
                "fwmark": 7,
                "scheduler": "rr",
                "scheduler_flags": [],
                "persistence": None,
                "netmask": 128,
                "one_packet": True,
                "engine": None,
                "counters": ZEROS,
                "rates": ZEROS,
                "servers": [],
            },
        ],
    }


def test_one_service_is_a_table_of_one() -> None:
    lines = ["-A -t 10.0.0.1:80 -s rr", "-A -t 10.0.0.2:80 -s rr", "-L -t 10.0.0.2:80 --json --stats -n"]
    assert [service["address"] for service in run(MemoryTable(), *lines)["services"]] == ["10.0.0.2"]


def test_timeouts_have_names() -> None:
    assert run(MemoryTable(), "--set 1 2 3", "-L --timeout --json") == {"timeouts": {"tcp": 1, "tcp_fin": 2, "udp": 3}}


def test_a_connection_has_all_its_fields() -> None:
    entry = Connection(
        6,
        IPv6Address("2001:db8::63"),
        40000,
        IPv6Address("2001:db8::1"),
        80,
        IPv6Address("2001:db8::b"),
        80,
        "ESTABLISHED",
        899,
        ConnectionFlags.NO_OUTPUT | ConnectionFlags.INACTIVE,
    )
    template = Connection(
        0, IPv4Address("10.0.0.0"), 0, IPv4Address("0.0.0.5"), 0, IPv4Address("10.0.0.11"), 0, "NONE", 7, engine="sip"
    )
    shown = json.loads(connections_as_json([entry, template]))["connections"]
    assert shown[0] == {
        "protocol": "tcp",
        "client": "2001:db8::63",
        "client_port": 40000,
        "virtual": "2001:db8::1",
        "virtual_port": 80,
        "server": "2001:db8::b",
        "server_port": 80,
        "state": "ESTABLISHED",
        "expires": 899,
        "flags": ["no_output", "inactive"],
        "engine": None,
        "engine_data": None,
    }
    assert (shown[1]["protocol"], shown[1]["engine"], shown[1]["flags"]) == ("ip", "sip", [])


def test_synchronisation_daemons_are_listed_with_what_was_chosen_for_them() -> None:
    class Synchronising(MemoryTable):
        def daemons(self) -> list[SyncDaemon]:
            return [SyncDaemon(DaemonRole.MASTER, "eth0", 7, 1472, IPv4Address("224.0.0.81"), 8848, 1)]

    assert run(Synchronising(), "-L --daemon --json") == {
        "daemons": [
            {
                "role": "master",
                "interface": "eth0",
                "sync_id": 7,
                "max_length": 1472,
                "group": "224.0.0.81",
                "port": 8848,
                "ttl": 1,
            }
        ]
    }
    assert run(MemoryTable(), "-L --daemon --json") == {"daemons": []}
