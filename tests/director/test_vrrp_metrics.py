"""VRRP's states and counters as Prometheus is given them, by the names that dashboards know."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

import pytest

from directrix.director.exposition import of_vrrp
from directrix.lvs.addresses import Family
from directrix.vrrp.bad_packet import Cause
from directrix.vrrp.states import State
from directrix.vrrp.status import InstanceStatus, Statistics

COUNTERS = (
    "gratuitous_arp_delay", "advertisements_received", "advertisements_sent", "become_master", "release_master",
    "packet_length_errors", "advertisements_interval_errors", "ip_ttl_errors", "invalid_type_received",
    "address_list_errors", "authentication_invalid", "authentication_mismatch", "authentication_failure",
    "priority_zero_received", "priority_zero_sent",
)  # fmt: skip
"""Those of keepalived-exporter, without what all of them begin and end with."""

COUNTED = Statistics(
    advertisements_received=3,
    advertisements_sent=4,
    become_master=2,
    release_master=1,
    rejected={**dict.fromkeys(Cause, 0), Cause.TTL: 7, Cause.AUTH_FAILURE: 8},
)

STATUS = InstanceStatus(
    name="VI_1",
    group="",
    interface="eth0",
    family=Family.INET,
    vrid=51,
    version=3,
    state=State.MASTER,
    since=0.0,
    base_priority=150,
    priority=150,
    interval=0.2,
    source=ip_address("10.0.0.1"),
    master=None,
    master_priority=0,
    master_heard=0.0,
    faults=(),
    waiting=(),
    addresses=("10.0.0.100/32", "fd00::100/128"),
    garp_delay=5.0,
    statistics=COUNTED,
)
LABELS = '{iname="VI_1",intf="eth0",vrid="51"}'


def samples(*statuses: InstanceStatus) -> list[str]:
    return [line for line in of_vrrp(statuses) if not line.startswith("#")]


@pytest.mark.parametrize(
    ("state", "number"),
    [(State.INITIALIZE, 0), (State.BACKUP, 1), (State.MASTER, 2), (State.FAULT, 3), (State.LEAVING, 2)],
)
def test_the_state_is_a_number_for_each_address(state: State, number: int) -> None:
    assert [line for line in samples(replace(STATUS, state=state)) if "_state" in line] == [
        f'keepalived_vrrp_state{{iname="VI_1",intf="eth0",vrid="51",ip_address="{address}"}} {number}'
        for address in STATUS.addresses
    ]


def test_every_counter_has_the_name_that_dashboards_know() -> None:
    found = {line.partition("{")[0] for line in samples(STATUS)}
    assert found == {"keepalived_vrrp_state", *(f"keepalived_{name}_total" for name in COUNTERS)}


def test_counters_have_their_values() -> None:
    found = dict(line.rsplit(" ", 1) for line in samples(STATUS))
    for name, value in (
        ("gratuitous_arp_delay", 5),
        ("advertisements_received", 3),
        ("become_master", 2),
        ("ip_ttl_errors", 7),
        ("authentication_failure", 8),
        ("authentication_mismatch", 0),
    ):
        assert found[f"keepalived_{name}_total{LABELS}"] == str(value)


def test_every_metric_is_explained_once() -> None:
    lines = list(of_vrrp((STATUS, replace(STATUS, name="VI_2"))))
    explained = [re.sub(r"^# TYPE (\S+) .*", r"\1", line) for line in lines if line.startswith("# TYPE")]
    assert sorted(explained) == sorted({line.partition("{")[0] for line in lines if not line.startswith("#")})
