"""The doctor in other clusters and moods: behind a gateway, as a client, mending by itself, told nonsense."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
from patient import Patient, lab_of

from directrix.system import namespaces

pytestmark = pytest.mark.root

VIP, SIX = "10.0.1.100", "fd00:1::100"


@pytest.fixture(scope="module")
def routed() -> Iterator[Patient]:
    """A cluster behind a gateway, whose director has two arms."""
    with lab_of("routed") as patient:
        yield patient


@pytest.mark.parametrize(
    ("host", "options"),
    [("director", ()), ("rs1", ("--service", f"{VIP}:80")), ("gateway", ("--vip", VIP, "--vip", SIX))],
)
def test_a_healthy_cluster_behind_a_gateway_gets_no_complaint(
    routed: Patient, host: str, options: tuple[str, ...]
) -> None:
    found = routed.examine(host, *options)
    assert (found.status, found.wrong) == (0, [])


def test_a_router_that_drops_answers_from_the_vip_is_found_and_mended(routed: Patient) -> None:
    request = f"curl -s -m 1 http://{VIP}/"
    routed.run("gateway", "sysctl -qw net.ipv4.conf.back.rp_filter=1")
    try:
        assert routed.run("client", request).returncode != 0
        found = routed.examine("gateway", "--vip", VIP)
        (complaint,) = found.of("rp-filter")
        assert "10.0.2.1" in complaint["said"]
        routed.follow(complaint, "gateway")
        assert routed.examine("gateway", "--vip", VIP).wrong == []
        assert routed.run("client", request).returncode == 0
    finally:
        routed.run("gateway", "sysctl -qw net.ipv4.conf.back.rp_filter=0")


def default_routes(routed: Patient, host: str) -> str:
    return routed.run(host, "ip -4 route show default; ip -6 route show default").stdout


def test_whose_gateway_is_the_director_gets_the_router_of_its_own_wire(routed: Patient) -> None:
    before = default_routes(routed, "rs1")
    routed.run("rs1", "ip route replace default via 10.0.2.2; ip -6 route replace default via fd00:2::2")
    try:
        found = routed.examine("director", "--only", "gateway")
        complaints = found.of("gateway")
        assert len(complaints) == 2, found.wrong
        for complaint in complaints:
            routed.follow(complaint, "director")
        assert default_routes(routed, "rs1") == before
    finally:
        routed.run("rs1", "; ".join(f"ip route replace {route}" for route in before.splitlines()))


def test_without_a_gateway_a_real_server_is_given_the_only_router_there_is(routed: Patient) -> None:
    before = default_routes(routed, "rs1")
    routed.run("rs1", "ip route del default; ip -6 route del default")
    try:
        done = routed.run("rs1", "directrix doctor --only gateway --fix --yes")
        assert done.stderr.count("ran: ip") == 2, (done.stdout, done.stderr)
        assert default_routes(routed, "rs1") == before
    finally:
        routed.run("rs1", "; ".join(f"ip route replace {route}" for route in before.splitlines()))


def mac_of(patient: Patient, host: str) -> str:
    return str(json.loads(patient.run(host, "ip -json link show eth0").stdout)[0]["address"])


def test_by_its_advice_clients_come_back_that_learned_the_vip_from_a_real_server(patient: Patient) -> None:
    with patient.broken("arp-leak") as server:
        entry = f"10.0.0.100 lladdr {mac_of(patient, server)} dev eth0 nud stale"
        assert patient.run("client", f"ip neighbour replace {entry}").returncode == 0
        (complaint,) = patient.examine("director", "--only", "answers", "--vip", "10.0.0.100").wrong
        patient.follow(complaint, "director")
        known = patient.run("client", "ip neighbour show 10.0.0.100").stdout
        assert mac_of(patient, "director") in known


class TestFromAClient:
    def test_it_tells_who_answers_how_often_by_what_they_say(self, routed: Patient) -> None:
        done = routed.run(
            "client",
            f"directrix doctor --from-client {VIP}:80 -n 8 --identify body --weights rs1=1,rs2=1 --json",
        )
        said = json.loads(done.stdout)
        assert (done.returncode, said["answered"], said["failed"]) == (0, {"rs1": 4, "rs2": 4}, {})
        assert [note["outcome"] for note in said["notes"]] == ["ok", "ok"]

    def test_by_a_header(self, routed: Patient) -> None:
        done = routed.run("client", f"directrix doctor --from-client [{SIX}]:80 -n 2 --identify header:Server")
        assert done.returncode == 0
        assert re.search(r"^OK +nginx\S*: answered 2 times", done.stdout, re.MULTILINE)

    def test_behind_a_router_macs_tell_nothing_and_it_says_so(self, routed: Patient) -> None:
        done = routed.run("client", f"directrix doctor --from-client {VIP}:80 -n 1")
        assert done.returncode == 0
        assert f"{VIP} is behind the router 192.0.2.1" in done.stdout

    def test_on_their_own_wire_macs_tell_real_servers_apart(self, patient: Patient) -> None:
        done = patient.run(
            "client", "directrix doctor --from-client 10.0.0.100:80 -n 8 --weights 10.0.0.11=1,10.0.0.12=1 --json"
        )
        said = json.loads(done.stdout)
        assert done.returncode == 0, said
        assert sorted(said["answered"].values()) == [4, 4]
        assert all(re.fullmatch(r"[0-9a-f:]{17} \(10\.0\.0\.1[12].*\)", name) for name in said["answered"])

    def test_a_real_server_that_does_not_answer_is_a_failure(self, patient: Patient) -> None:
        with patient.broken("wrong-port"):
            done = patient.run("client", "directrix doctor --from-client 10.0.0.100:80 -n 4")
        assert done.returncode == 2
        assert re.search(r"^FAIL +2 times: Connection refused", done.stdout, re.MULTILINE)

    @pytest.mark.parametrize("host", ["director", "rs1"])
    def test_who_carries_the_vip_can_be_no_client(self, routed: Patient, host: str) -> None:
        done = routed.run(host, f"directrix doctor --from-client {VIP}:80")
        assert done.returncode == 2
        assert "try from another host" in done.stdout


class TestMending:
    def test_it_asks_before_each_command_and_no_is_no(self, patient: Patient) -> None:
        with patient.broken("no-vip"):
            done = patient.run("rs1", "yes n | directrix doctor --fix")
            assert done.returncode == 2
            assert "run `ip address replace 10.0.0.100/32 dev lo scope host`? [y/N]" in done.stderr
            assert patient.examine("rs1").status == 2

    def test_it_runs_what_is_safe_and_looks_again(self, patient: Patient) -> None:
        with patient.broken("firewall"):
            done = patient.run("rs1", "directrix doctor --service 10.0.0.100:80 --fix --yes --quiet")
            assert (done.returncode, "FAIL" in done.stdout) == (0, False), done.stdout
            assert "ran: nft insert rule inet lab_break input" in done.stderr

    def test_it_leaves_to_people_what_takes_something_away(self, patient: Patient) -> None:
        with patient.broken("wide-vip"):
            done = patient.run("rs1", "directrix doctor --only vip --fix --yes")
            assert done.returncode == 2
            assert "ip address del 10.0.0.100/24 dev lo" in done.stdout
            assert "ran:" not in done.stderr


class TestOtherTroubles:
    def test_a_real_server_that_sends_packets_on_is_told_from_a_silent_one(self, patient: Patient) -> None:
        with patient.broken("no-vip"):
            patient.run("rs1", "sysctl -qw net.ipv4.ip_forward=1")
            try:
                found = patient.examine("director", "--only", "direct-path", "--vip", "10.0.0.100")
            finally:
                patient.run("rs1", "sysctl -qw net.ipv4.ip_forward=0")
        assert any("sends the packet on" in each["said"] for each in found.wrong), found.wrong

    def test_a_quiesced_real_server_out_of_order_is_a_warning(self, patient: Patient) -> None:
        edit = "directrix ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w {}"
        with patient.broken("wrong-port"):
            patient.run("director", edit.format(0))
            try:
                found = patient.examine("director", "--only", "direct-path", "--service", "10.0.0.100:80")
            finally:
                patient.run("director", edit.format(1))
        assert (found.status, found.outcome) == (1, "warn")

    def test_a_real_server_nobody_finds_is_to_be_taken_out(self, patient: Patient) -> None:
        server = "-t 10.0.0.100:80 -r 10.0.0.99"
        patient.run("director", f"directrix ipvsadm -a {server} -g")
        try:
            found = patient.examine("director", "--service", "10.0.0.100:80", "--only", "neighbours")
            (complaint,) = found.wrong
            assert "nobody answers for it" in complaint["said"]
            patient.follow(complaint, "director")
            again = patient.examine("director", "--service", "10.0.0.100:80", "--only", "neighbours")
            assert again.outcome == "warn"
        finally:
            patient.run("director", f"directrix ipvsadm -d {server}")

    def test_udp_that_nobody_takes_is_noticed(self, patient: Patient) -> None:
        patient.run(
            "director", "directrix ipvsadm -A -u 10.0.0.100:53; directrix ipvsadm -a -u 10.0.0.100:53 -r 10.0.0.11"
        )
        try:
            found = patient.examine("director", "--only", "direct-path", "--service", "udp:10.0.0.100:53")
        finally:
            patient.run("director", "directrix ipvsadm -D -u 10.0.0.100:53")
        assert any("nobody takes UDP at port 53" in each["said"] for each in found.wrong), found.said

    def test_a_program_of_the_directors_own_is_no_client(self, patient: Patient) -> None:
        with namespaces.inside(patient.host("director").namespace):
            server = socket.create_server(("10.0.0.100", 80))
            client = socket.create_connection(("10.0.0.100", 80))
        with server, client:
            found = patient.examine("director", "--only", "client-here")
        assert [each["outcome"] for each in found.wrong] == ["warn"]
        assert "it connects to itself" in found.wrong[0]["said"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("--vip 10.0.0.300", 2, "10.0.0.300"),
        ("--service 10.0.0.100", 2, "is no service; write 10.0.0.100:80"),
        ("--only answer", 2, "there is no check 'answer'"),
        ("--interface eth7", 2, "there is no interface 'eth7' here (there are: "),
        ("--from-client 10.0.0.100:80 --identify x", 2, "can't be told apart by 'x'"),
        ("--from-client 10.0.0.100:80 -n 0", 2, "--count is at least 1"),
        ("--from-client udp:10.0.0.100:53", 2, "can't be tried"),
        ("--role queen", 2, "invalid choice: 'queen'"),
    ],
)
def test_nonsense_is_refused_in_a_line(patient: Patient, words: str, status: int, said: str) -> None:
    done = patient.run("client", f"directrix doctor {words}")
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_of_which_nothing_is_known_is_neither_well_nor_ill(patient: Patient) -> None:
    found = patient.run("client", "directrix doctor --json")
    assert (found.returncode, json.loads(found.stdout)["outcome"]) == (3, "skip")


def test_a_vip_on_an_interface_of_a_real_server_is_found_and_mended_from_the_director(patient: Patient) -> None:
    before = patient.snapshot()
    patient.run("rs2", "ip address del 10.0.0.100/32 dev lo; ip address add 10.0.0.100/32 dev eth0")
    found = patient.examine("director", "--only", "answers")
    (complaint,) = found.wrong
    assert "the real server 10.0.0.12" in complaint["said"]
    patient.follow(complaint, "director")
    assert patient.examine("director", "--only", "answers").wrong == []
    assert patient.snapshot() == before


def test_iptables_in_the_way_are_named_from_the_director_and_let_the_service_in(patient: Patient) -> None:
    patient.run("rs2", "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    patient.run("rs2", "iptables -A INPUT -d 10.0.0.100 -j REJECT --reject-with icmp-host-prohibited")
    try:
        found = patient.examine("director", "--only", "direct-path", "--vip", "10.0.0.100")
        (complaint,) = found.wrong
        assert "a firewall there rejects it" in complaint["said"]
        patient.follow(complaint, "director")
        assert patient.examine("director", "--only", "direct-path").wrong == []
    finally:
        patient.run("rs2", "nft flush ruleset")
