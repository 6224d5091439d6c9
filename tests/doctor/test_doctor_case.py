"""What a check is given: services of a table or as a person names them, sockets as the kernel lists them."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

import pytest

from directrix.doctor import trying
from directrix.doctor.case import CannotLook
from directrix.doctor.checks.clocks import difference
from directrix.doctor.commands import quiesce, redirect
from directrix.doctor.host import Carried, Host, Listener, _endpoint
from directrix.doctor.served import Service, parse_service, services_of
from directrix.doctor.trying import Identify, Trial, _compare, parse_weights, try_service
from directrix.lvs import (
    ForwardingMethod,
    MarkMatch,
    MarkRule,
    Protocol,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    VirtualService,
)
from directrix.system.wire import Wire


def state(key: ServiceKey, *servers: RealServer) -> ServiceState:
    return ServiceState(VirtualService(key), tuple(ServerState(server) for server in servers))


class TestServices:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("10.0.0.100:80", "TCP 10.0.0.100:80"),
            ("tcp:10.0.0.100:80", "TCP 10.0.0.100:80"),
            ("udp:10.0.0.100:53", "UDP 10.0.0.100:53"),
            ("[fd00::100]:443", "TCP [fd00::100]:443"),
            ("udp:[fd00::100]:53", "UDP [fd00::100]:53"),
        ],
    )
    def test_a_person_names_one(self, text: str, said: str) -> None:
        assert str(parse_service(text)) == said

    @pytest.mark.parametrize(
        "text",
        ["", "10.0.0.100", "10.0.0.100:", "10.0.0.100:0", "10.0.0.100:65536", "fd00::100:80", "[10.0.0.1]:80", "x:80",
         "icmp:10.0.0.100:80", "0.0.0.0:80"],
    )  # fmt: skip
    def test_what_is_none_is_said_with_how_to_write_one(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no service; write"):
            parse_service(text)

    def test_servers_come_in_the_order_in_which_they_were_added(self) -> None:
        key = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.100"), 80)
        newest_first = [RealServer(ip_address(f"10.0.0.{last}"), 80) for last in (12, 11)]
        (service,) = services_of([state(key, *newest_first)], ())
        assert [str(server.address) for server in service.servers] == ["10.0.0.11", "10.0.0.12"]
        assert service.option == "-t 10.0.0.100:80"

    def test_a_mark_stands_for_each_single_destination_it_is_given_to(self) -> None:
        single = MarkMatch(ip_network("10.0.0.100/32"), Protocol.TCP, 80, 80)
        other = MarkMatch(ip_network("10.0.0.100/32"), Protocol.TCP, 443, 443)
        wide = MarkMatch(ip_network("10.0.1.0/24"), Protocol.TCP, 80, 80)
        rules = [MarkRule(single, 7), MarkRule(other, 7), MarkRule(wide, 7), MarkRule(single, 8)]
        found = services_of([state(ServiceKey.mark(7), RealServer(ip_address("10.0.0.11"), 0))], rules)
        assert [str(service) for service in found] == ["TCP 10.0.0.100:80", "TCP 10.0.0.100:443"]
        assert {service.option for service in found} == {"-f 7"}


class TestAdvice:
    def test_a_server_is_quiesced_in_the_words_of_ipvsadm(self) -> None:
        key = ServiceKey.of(Protocol.UDP, ip_address("fd00::100"), 53)
        server = RealServer(ip_address("fd00::11"), 53, ForwardingMethod.MASQUERADE)
        (service,) = services_of([state(key, server)], ())
        assert quiesce(service, service.servers[0]).command == (
            "directrix ipvsadm -e -u [fd00::100]:53 -r [fd00::11]:53 -m -w 0"
        )

    def test_what_is_edited_keeps_its_thresholds(self) -> None:
        key = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.100"), 80)
        server = RealServer(ip_address("10.0.0.11"), 80, weight=2, upper_threshold=9, lower_threshold=4)
        (service,) = services_of([state(key, server)], ())
        assert quiesce(service, service.servers[0]).command == (
            "directrix ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 0 -x 9 -y 4"
        )

    def test_a_service_of_sctp_is_named_as_one(self) -> None:
        service = parse_service("sctp:10.0.0.100:80")
        assert service.option == "--sctp-service 10.0.0.100:80"

    def test_a_redirection_names_the_port_only_if_it_is_another(self) -> None:
        service = parse_service("10.0.0.100:80")
        assert "tcp dport 80 redirect;" in redirect(service).command
        assert "tcp dport 80 redirect to :8080;" in redirect(service, 8080).command


class TestSockets:
    def test_endpoints_are_read_as_the_kernel_writes_them(self) -> None:
        assert _endpoint("0B00000A:0050") == (ip_address("10.0.0.11"), 80)
        assert _endpoint("000000FD000000000000000011000000:1F90") == (ip_address("fd00::11"), 8080)

    def test_a_socket_for_all_addresses_takes_its_family_and_one_for_both_takes_both(self) -> None:
        four, six = ip_address("10.0.0.100"), ip_address("fd00::100")
        assert Listener("tcp", ip_address("0.0.0.0"), 80).takes("tcp", four, 80)
        assert not Listener("tcp", ip_address("::"), 80).takes("tcp", four, 80)
        assert Listener("tcp", ip_address("::"), 80, both=True).takes("tcp", four, 80)
        assert Listener("tcp", ip_address("::"), 80).takes("tcp", six, 80)
        assert not Listener("tcp", ip_address("10.0.0.11"), 80).takes("tcp", four, 80)
        assert not Listener("udp", ip_address("0.0.0.0"), 80).takes("tcp", four, 80)

    def test_whether_a_socket_for_all_ipv6_addresses_takes_ipv4_is_told(self) -> None:
        found = {}
        for only in (0, 1):
            with socket.socket(socket.AF_INET6) as each:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
                each.bind(("::", 0))
                each.listen()
                port = each.getsockname()[1]
                found[only] = [known.both for known in Host().listeners if known.port == port]
        assert found == {0: [True], 1: [False]}

    def test_an_address_reaches_its_network(self) -> None:
        assert Carried("eth0", ip_address("10.0.0.1"), 24).reaches(ip_address("10.0.0.200"))
        assert not Carried("eth0", ip_address("10.0.0.1"), 32).reaches(ip_address("10.0.0.200"))
        assert not Carried("eth0", ip_address("10.0.0.1"), 24).reaches(ip_address("fd00::1"))


@pytest.mark.parametrize(
    ("there", "here", "ahead"), [(5000, 2000, 3000), (1000, 86_399_000, 2000), (86_399_000, 1000, -2000), (7, 7, 0)]
)
def test_clocks_are_compared_the_shorter_way_round_midnight(there: int, here: int, ahead: int) -> None:
    assert difference(there, here) == ahead


class TestShares:
    def trial(self, **answered: int) -> Trial:
        trial = Trial(parse_service("10.0.0.100:80"), sum(answered.values()))
        trial.answered.update(answered)
        return trial

    def said(self, weights: str, **answered: int) -> list[str]:
        trial = self.trial(**answered)
        _compare(trial, parse_weights(weights))
        return [str(outcome) for outcome, _ in trial.notes]

    def test_shares_as_the_weights_are_well(self) -> None:
        assert self.said("rs1=1,rs2=2", rs1=20, rs2=40) == ["ok", "ok"]

    def test_servers_that_could_not_be_told_apart_are_not_held_against_the_weights(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def behind_a_router(host: Host, service: Service) -> Wire:
            raise CannotLook("it is behind a router")

        monkeypatch.setattr(trying, "_watch", behind_a_router)
        monkeypatch.setattr(trying, "_once", lambda trial, *_: trial.answered.update(["somebody"]))
        trial = try_service(parse_service("192.0.2.80:80"), 20, Identify("mac"), {"rs1": 1, "rs2": 9})
        assert trial.outcome == "ok"
        assert {str(outcome) for outcome, _ in trial.notes} == {"skip"}

    def test_what_chance_explains_is_well(self) -> None:
        assert self.said("rs1=1,rs2=1", rs1=24, rs2=36) == ["ok", "ok"]

    def test_what_it_does_not_explain_is_a_warning(self) -> None:
        assert self.said("rs1=1,rs2=1", rs1=10, rs2=50) == ["warn", "warn"]

    def test_one_that_never_answered_is_a_failure(self) -> None:
        assert self.said("rs1=1,rs2=1", rs2=60) == ["fail", "warn"]

    def test_one_of_weight_zero_shall_not_answer(self) -> None:
        assert self.said("rs1=0,rs2=1", rs2=60) == ["ok", "ok"]
        assert self.said("rs1=0,rs2=1", rs1=30, rs2=30) == ["warn", "warn"]

    def test_one_that_no_weight_was_told_for_is_noticed(self) -> None:
        assert self.said("rs2=1", rs1=1, rs2=60) == ["warn", "ok"]

    @pytest.mark.parametrize("text", ["rs1", "=1", "rs1=", "rs1=x", "rs1=1,rs2"])
    def test_weights_that_are_none_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no weight"):
            parse_weights(text)

    @pytest.mark.parametrize("text", ["", "name", "header", "header:", "mac:x"])
    def test_ways_to_tell_apart_that_are_none_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="can't be told apart"):
            Identify.parse(text)


@pytest.mark.root
@pytest.mark.parametrize("option", ["--vip", "--client"])
def test_what_is_no_address_is_told_with_how_to_write_one(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    from directrix.cli.main import main

    assert main(["doctor", option, "www"]) != 0
    assert "'www' is no address; write, say, 10.0.0.100 or fd00::100" in capsys.readouterr().err
