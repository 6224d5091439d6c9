"""A cluster with masquerading: what the doctor says of it, well and broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from patient import Patient, lab_of

from directrix.lab.breaking import break_lab
from directrix.lab.breaks import BREAKS
from directrix.lab.errors import LabError

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def nat() -> Iterator[Patient]:
    """A healthy cluster, one for all tests here: who breaks it, heals it."""
    with lab_of("nat") as lab:
        yield lab


def answers(patient: Patient) -> str:
    """Who answers a client over IPv4 and over IPv6; nothing of who does not."""
    ask = "curl -s -m 1 http://192.0.2.100/; curl -s -m 1 http://[2001:db8::100]/"
    return patient.run("client", f"{ask}; {ask}").stdout


@pytest.mark.parametrize("host", ["director", "rs1"])
def test_a_healthy_cluster_gets_no_complaint(nat: Patient, host: str) -> None:
    found = nat.examine(host, *(("--client", "192.0.2.10") if host == "director" else ("--vip", "192.0.2.100")))
    assert (found.status, found.wrong) == (0, [])
    if host == "director":
        tried = [each["outcome"] for each in found.said["findings"] if each["check"] == "masquerade-path"]
        assert tried == ["ok"] * 4


@pytest.mark.parametrize("vip", ["192.0.2.100", "2001:db8::100"])
def test_a_real_server_whose_gateway_is_the_director_is_not_told_to_carry_the_vip(nat: Patient, vip: str) -> None:
    found = nat.examine("rs1", "--role", "realserver", "--vip", vip)
    assert found.wrong == []
    said = {each["check"]: each["said"] for each in found.said["findings"]}
    assert said["vip"].startswith("not carried, and the default gateway is the director")
    assert said["gateway"].startswith("it is the director, as masquerading needs it")


def test_a_client_is_told_that_macs_do_not_tell_masqueraded_servers_apart(nat: Patient) -> None:
    tried = "directrix doctor --from-client 192.0.2.100:80 -n 4 --json"
    found = nat.run("client", f"{tried} --weights 10.0.2.11=1,10.0.2.12=1")
    assert found.returncode == 0
    first, second = json.loads(found.stdout)["notes"]
    assert first["said"].endswith("for itself and for whom it masquerades; try --identify body or header:NAME")
    assert (second["outcome"], second["said"]) == ("skip", "so the shares can't be held against the weights")
    by_body = json.loads(nat.run("client", f"{tried} --identify body --weights rs1=1,rs2=1").stdout)
    assert by_body["answered"] == {"rs1": 2, "rs2": 2}
    assert [each["outcome"] for each in by_body["notes"]] == ["ok", "ok"]


def test_answers_that_go_past_the_director_are_found_and_led_back(nat: Patient) -> None:
    before = nat.snapshot()
    with nat.broken("past-director") as host:
        assert sorted(answers(nat).split()) == ["rs2", "rs2"]
        found = nat.examine("director")
        assert [(each["check"], each["looked_at"].partition(",")[0]) for each in found.wrong] == [
            ("gateway", "10.0.2.11"),
            ("gateway", "fd00:2::11"),
        ]
        assert all("its answers don't come through the director" in each["said"] for each in found.wrong)
        for complaint in found.wrong:
            nat.follow(complaint, "director")
        assert nat.examine("director", "--only", "gateway").wrong == []
        assert nat.examine(host, "--vip", "192.0.2.100").wrong == []
        assert sorted(answers(nat).split()) == ["rs1", "rs1", "rs2", "rs2"]
    assert nat.snapshot() == before


def test_forwarding_that_was_switched_off_is_found_and_switched_on(nat: Patient) -> None:
    before = nat.snapshot()
    with nat.broken("no-forwarding"):
        found = nat.examine("director", "--only", "forwarding")
        assert [(each["outcome"], each["looked_at"]) for each in found.wrong] == [
            ("fail", "net.ipv4.conf.lo.forwarding is 0"),
            ("warn", "forwarding of IPv4"),
            ("fail", "net.ipv6.conf.lo.forwarding is 0"),
            ("warn", "forwarding of IPv6"),
        ]
        for complaint in found.wrong:
            nat.follow(complaint, "director")
        assert nat.examine("director").wrong == []
        assert sorted(answers(nat).split()) == ["rs1", "rs1", "rs2", "rs2"]
        reach = "curl -s -m 5 http://192.0.2.10:1/; test $? = 7"  # refused, not silence
        assert nat.run("rs1", reach).returncode == 0
    assert nat.snapshot() == before


def test_a_port_at_which_nobody_listens_is_found_and_mapped_to_one_where_somebody_does(nat: Patient) -> None:
    before = nat.snapshot()
    vip = "192.0.2.100:80"
    wrong = f"directrix ipvsadm -d -t {vip} -r 10.0.2.11:8080; directrix ipvsadm -a -t {vip} -r 10.0.2.11:80 -m -w 3"
    assert nat.run("director", wrong).returncode == 0
    try:
        found = nat.examine("director", "--only", "masquerade-path")
        [complaint] = found.wrong
        assert complaint["said"] == "nobody listens at its port 80, but somebody does at 8080"
        nat.follow(complaint, "director")
        assert nat.examine("director", "--only", "masquerade-path").wrong == []
        assert "10.0.2.11:8080 -m -w 3" in nat.run("director", "directrix ipvsadm -S -n").stdout
    finally:
        again = "directrix ipvsadm -C; directrix ipvsadm -R"
        rules = before["director"][before["director"].index("-A -t") :]
        nat.run("director", f"{again} <<'END'\n{rules}END")
    assert nat.snapshot() == before


@pytest.mark.slow
def test_a_client_beside_the_real_server_is_led_through_the_director(nat: Patient) -> None:
    before = nat.snapshot()
    name = next(host.namespace for host in nat.lab.hosts if host.name == "client2")
    beside = f"ip link add beside type veth peer name beside netns {name} && ip link set beside master inside up"
    assert nat.run("switch", beside).returncode == 0
    try:
        come = "ip address add 10.0.2.50/24 dev beside; ip link set beside up; ip route add 192.0.2.100 via 10.0.2.1"
        assert nat.run("client2", f"ip route del 10.0.2.0/24; {come}").returncode == 0
        asked = "curl -s -m 2 --interface 10.0.2.50 http://192.0.2.100/"
        assert nat.run("client2", asked).stdout == ""
        found = nat.examine("director", "--only", "gateway", "--client", "10.0.2.50")
        assert [each["looked_at"] for each in found.wrong] == [
            "10.0.2.11, answering 10.0.2.50",
            "10.0.2.12, answering 10.0.2.50",
        ]
        for complaint in found.wrong:
            nat.follow(complaint, "director")
        assert nat.examine("director", "--only", "gateway", "--client", "10.0.2.50").wrong == []
        assert nat.run("client2", asked).stdout in ("rs1\n", "rs2\n")
    finally:
        nat.run("switch", "ip link del beside")
        nat.run("client2", "ip route replace 10.0.2.0/24 via 192.0.2.1")
        for host in ("rs1", "rs2"):
            nat.run(host, "ip route del 10.0.2.50")
    assert nat.snapshot() == before


@pytest.mark.parametrize("name", ["past-director", "no-forwarding"])
def test_what_makes_no_sense_in_direct_routing_is_not_broken_there(patient: Patient, name: str) -> None:
    before = patient.snapshot()
    with pytest.raises(LabError, match="use a lab like nat"):
        break_lab(patient.lab, BREAKS[name])
    assert patient.snapshot() == before
