"""Holders that each stand for one VIP."""

from __future__ import annotations

import pytest

from directrix.system.facts.ledger import Ledger
from directrix.system.facts.vip_holders import check_started_so
from directrix.system.host_error import HostError

STARTED = Ledger(
    holders={
        "realserver 10.0.0.100": {"method": "arptables", "interfaces": "eth0 eth1"},
        "realserver fd00::100": {"method": "sysctl", "interfaces": ""},
        "director 10.0.0.200": {"method": "direct", "interface": "eth0"},
    }
)


@pytest.mark.parametrize(
    ("holder", "method", "interfaces"),
    [
        ("realserver 10.0.0.100", "arptables", "eth0 eth1"),
        ("realserver 10.0.0.100", "", "eth1"),
        ("realserver fd00::100", "sysctl", "eth0"),  # nothing depended on it
        ("director 10.0.0.200", "direct", "eth0"),
        ("realserver 10.0.0.101", "redirect", "eth7"),  # not started
    ],
)
def test_words_that_a_vip_was_started_with_contradict_nothing(holder: str, method: str, interfaces: str) -> None:
    check_started_so(STARTED, [holder], method=method.split(), interface=interfaces.split())


@pytest.mark.parametrize(
    ("holder", "method", "interfaces", "said"),
    [
        ("realserver 10.0.0.100", "sysctl", "eth0", "realserver 10.0.0.100 was started with --method arptables"),
        ("realserver 10.0.0.100", "arptables", "eth2", "--interface eth0 eth1, not eth2"),
        ("director 10.0.0.200", "", "eth1", "--interface eth0, not eth1"),
    ],
)
def test_a_vip_started_otherwise_is_told(holder: str, method: str, interfaces: str, said: str) -> None:
    with pytest.raises(HostError, match=said):
        check_started_so(STARTED, [holder], method=method.split(), interface=interfaces.split())
