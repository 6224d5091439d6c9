"""A cluster of tunnels: what the doctor says of it, well and broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from patient import Patient, lab_of

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def tunnel() -> Iterator[Patient]:
    """A healthy cluster with tunnels, one for all tests here: who breaks it, heals it."""
    with lab_of("tunnel") as lab:
        yield lab


def both_ends(patient: Patient, mtu: int) -> None:
    """Set how large a packet the link between gateway and edge takes."""
    for router in ("gateway", "edge"):
        assert patient.run(router, f"ip link set dev wan mtu {mtu}").returncode == 0


@pytest.mark.parametrize("host", ["director", "rs1", pytest.param("rs2", marks=pytest.mark.slow)])
def test_a_healthy_cluster_gets_no_complaint(tunnel: Patient, host: str) -> None:
    found = tunnel.examine(host)
    assert (found.status, found.wrong) == (0, [])
    if host == "director":
        of_tunnels = [each for each in found.said["findings"] if each["check"] == "tunnel-path"]
        assert [each["outcome"] for each in of_tunnels] == ["ok"] * 7


@pytest.mark.slow
def test_a_real_server_that_takes_nothing_out_is_named_and_mended(tunnel: Patient) -> None:
    before = tunnel.snapshot()
    with tunnel.broken("no-decapsulation") as host:
        assert tunnel.snapshot() != before
        found = tunnel.examine("director", "--only", "tunnel-path")
        assert [each["looked_at"] for each in found.wrong] == [
            "TCP 10.0.1.100:80 → 10.0.4.11:80, IPIP",
            "TCP [fd00:1::100]:80 → 10.0.4.11:80, IPIP",
        ]
        assert all("nothing there takes them out of the tunnel" in each["said"] for each in found.wrong)
        assert tunnel.examine(host).of("prepared")
        for complaint in found.wrong:
            tunnel.follow(complaint, "director")
        assert tunnel.examine("director", "--only", "tunnel-path").wrong == []
        assert tunnel.examine(host).wrong == []
    assert tunnel.snapshot() == before


def test_a_filter_behind_the_tunnel_is_told_from_a_tunnel_that_does_not_work(tunnel: Patient) -> None:
    rules = "table inet lab { chain input { type filter hook input priority filter; tcp dport 80 drop; }; }"
    assert tunnel.run("rs1", f"nft '{rules}'").returncode == 0
    try:
        found = tunnel.examine("director", "--only", "tunnel-path")
        assert {each["said"].partition(":")[0] for each in found.wrong} == {
            "it answers for the VIP, but a SYN for port 80 gets no answer"
        }
    finally:
        tunnel.run("rs1", "nft delete table inet lab")


@pytest.mark.slow
def test_a_narrow_way_is_measured_and_segments_that_fit_it_mend_it(tunnel: Patient) -> None:
    before = tunnel.snapshot()
    both_ends(tunnel, 1400)
    try:
        found = tunnel.examine("director", "--only", "tunnel-path")
        assert [each["looked_at"] for each in found.wrong] == [
            "the way to 10.0.4.11",
            "the way to 10.0.4.12",
            "the way to fd00:4::12",
        ]
        assert all("the way takes 1400." in each["said"] for each in found.wrong)
        for complaint in found.wrong:
            tunnel.follow(complaint, "director")
        assert tunnel.examine("director", "--only", "tunnel-path").wrong == []
    finally:
        both_ends(tunnel, 1500)
        for host in ("rs1", "rs2"):
            tunnel.run(host, "directrix realserver start --vip 10.0.1.100 fd00:1::100 --clamp-mss off")
    assert tunnel.snapshot() == before


def test_a_lab_without_tunnels_has_nothing_to_break(tunnel: Patient) -> None:
    done = tunnel.run("rs1", "directrix realserver stop; directrix realserver start --vip 10.0.1.100 fd00:1::100")
    assert done.returncode == 0
    try:
        with pytest.raises(Exception, match="come in no tunnel"), tunnel.broken("no-decapsulation"):
            pass
    finally:
        tunnel.run("rs1", "directrix realserver start --vip 10.0.1.100 fd00:1::100 --tunnel ipip")
