"""The same cluster by every hook."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import native
import pytest
from hosts import VIP, VIP6, Cluster, service
from native import ready_for_xdp
from traffic import ask, ask_udp, download, serve, upload
from wire import watching

pytestmark = pytest.mark.root


@pytest.fixture(scope="session")
def xdp_pass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return native.xdp_pass(tmp_path_factory.mktemp("pass"))


def works(cluster: Cluster, size: int = 3 << 20) -> None:
    client = cluster["client"]
    for vip in (VIP, VIP6):
        for question in (ask, ask_udp):
            assert Counter(question(client, vip) for _ in range(6)) == {"rs1": 3, "rs2": 3}
        assert upload(client, size, vip)
        assert download(client, size, vip)
        assert ask_udp(client, vip, size=1400) in ("rs1", "rs2")


def test_auto_takes_tc_on_veth_and_tc_can_be_asked_for(one: Cluster) -> None:
    serve(one)
    director = one["director"]
    director.up()
    director.restore(service())
    assert [(i["name"], i["hook"], i["attached"]) for i in director.status()["interfaces"]] == [("eth0", "tc", True)]
    works(one)
    director.up("--hook", "tc", "--interface", "eth0")
    works(one)


@pytest.mark.parametrize("size", [8 << 20, pytest.param(50 << 20, marks=pytest.mark.slow)])
def test_large_transfers_both_ways_with_every_offload_at_its_default(one: Cluster, size: int) -> None:
    serve(one)
    one["director"].up()
    one["director"].restore(service())
    for vip in (VIP, VIP6):
        assert upload(one["client"], size, vip)
        assert download(one["client"], size, vip)


@pytest.mark.parametrize("hook", ["xdp", "xdp-generic"])
def test_one_armed_by_xdp(one: Cluster, hook: str, xdp_pass: Path) -> None:
    serve(one)
    director, switch = one["director"], one["switch"]
    ready_for_xdp(one, xdp_pass, [(switch, "p-director")] if hook == "xdp" else [])
    director.up("--hook", hook)
    director.restore(service())
    assert [(i["name"], i["hook"]) for i in director.status()["interfaces"]] == [("eth0", hook)]
    works(one)
    before = director.verdicts()
    assert upload(one["client"], 1 << 20)
    after = director.verdicts()
    gone = after["forwarded"] - before["forwarded"]
    assert gone > 20 * (after["handed_up"] - before.get("handed_up", 0))  # the quick way was taken


@pytest.mark.parametrize("hook", ["xdp", "xdp-generic"])
def test_two_armed_by_xdp_redirects_from_one_interface_to_the_other(two: Cluster, hook: str, xdp_pass: Path) -> None:
    serve(two)
    director, switch = two["director"], two["switch"]
    ready_for_xdp(two, xdp_pass, [(switch, "p-director"), (switch, "b-director")] if hook == "xdp" else [])
    director.up("--hook", hook)
    director.restore(service(net="2"))
    works(two)
    with watching((switch, "b-director")) as (back,):
        ask(two["client"])
        given = [frame for frame in back.frames(VIP) if not frame.sent]
    assert len(given) >= 4
    assert {frame.source for frame in given} == {director.mac("eth1")}
    assert {frame.ttl for frame in given} == {62}


def test_only_the_interface_named_is_served(two: Cluster) -> None:
    serve(two)
    director = two["director"]
    director.up("--interface", "eth1")
    director.restore(service(net="2"))
    assert [i["name"] for i in director.status()["interfaces"]] == ["eth1"]
    with pytest.raises(ConnectionRefusedError):
        ask(two["client"])  # reaches the director's own stack, which has nobody there


def test_hooks_change_under_open_connections(one: Cluster) -> None:
    """tc to generic XDP and back, a connection open all the while."""
    from traffic import Echo

    serve(one)
    ready_for_xdp(one, Path(), [])
    director = one["director"]
    director.up()
    director.restore(service())
    echo = Echo(one["client"])
    for hook in ("xdp-generic", "tc", "xdp-generic"):
        director.up("--hook", hook, "--interface", "eth0")
        assert echo.say(hook)
        assert [i["hook"] for i in director.status()["interfaces"]] == [hook]
    echo.close()
    works(one, 1 << 20)
