"""The words that name a real server of a service."""

from __future__ import annotations

import argparse
from ipaddress import ip_address

import pytest

from directrix.cli.server_words import BadServer, describe_server, read_server
from directrix.lvs import Address, ServiceKey


def named(*words: str) -> tuple[ServiceKey, Address, int]:
    parser = argparse.ArgumentParser()
    describe_server(parser)
    return read_server(parser.parse_args(words))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("10.0.0.100:80 10.0.0.11", "-t 10.0.0.100:80 -r 10.0.0.11"),
        ("tcp:10.0.0.100:80 10.0.0.11:8080", "-t 10.0.0.100:80 -r 10.0.0.11:8080"),
        ("udp:10.0.0.100:53 10.0.0.11", "-u 10.0.0.100:53 -r 10.0.0.11"),
        ("sctp:[fd00::100]:80 [fd00::11]:80", "--sctp-service [fd00::100]:80 -r [fd00::11]:80"),
        ("[fd00::100]:80 fd00::11", "-t [fd00::100]:80 -r fd00::11"),
        ("fwmark:7 10.0.0.11", "-f 7 -r 10.0.0.11"),
        ("-6 fwmark:7 fd00::11", "-f 7 -6 -r fd00::11"),
        ("10.0.0.100:80 -r 10.0.0.11", "-t 10.0.0.100:80 -r 10.0.0.11"),
    ],
)
def test_a_service_and_a_server_in_their_places_are_what_the_options_say(short: str, long: str) -> None:
    assert named(*short.split()) == named(*long.split())


def test_a_server_without_a_port_is_at_that_of_the_service() -> None:
    key, address, port = named("10.0.0.100:80", "10.0.0.11")
    assert (key.address, key.port, address, port) == (ip_address("10.0.0.100"), 80, ip_address("10.0.0.11"), 80)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "which service?"),
        ("10.0.0.100:80", "which real server?"),
        ("10.0.0.100:80 10.0.0.11 10.0.0.12", "'10.0.0.12' is a third"),
        ("10.0.0.100:http:80 10.0.0.11", "illegal virtual server address"),
        ("udp:nonsense 10.0.0.11", "illegal virtual server address"),
        ("-t 10.0.0.100:80 -u 10.0.0.100:53 -r 10.0.0.11", "service"),
        ("10.0.0.100:80 10.0.0.11 -t 10.0.0.100:80", "service"),
    ],
)
def test_words_that_name_none_are_told(words: str, said: str) -> None:
    with pytest.raises(BadServer, match=said):
        named(*words.split())
