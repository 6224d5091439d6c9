"""What is static: the words it is made by, what is ours of it, and that nothing of others' is taken away."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from directrix.director.statics import Statics, statics_of
from directrix.keepalived import loads
from directrix.system import namespaces

TEXT = """
static_ipaddress {
    192.0.2.7/24 dev d0 scope link label d0:7
    198.51.100.9/24 brd +
    2001:db8::7/64 dev d0 -nodad preferred_lft 0
}
static_routes {
    203.0.113.0/24 via 198.51.100.1 dev d0 metric 7
    unreachable 2001:db8:9::/48
}
static_rules {
    from 203.0.113.0/24 table 9 preference 909
}
global_defs {
    default_interface d0
}
"""


def test_the_words_are_those_of_ip() -> None:
    commands = [" ".join(static.command("add")) for static in statics_of(loads(TEXT).configuration)]
    assert commands == [
        "ip -4 address add 192.0.2.7/24 dev d0 scope link label d0:7",
        "ip -4 address add 198.51.100.9/24 dev d0 broadcast +",
        "ip -6 address add 2001:db8::7/64 dev d0 nodad preferred_lft 0",
        "ip -4 route add 203.0.113.0/24 via 198.51.100.1 dev d0 metric 7",
        "ip -6 route add unreachable 2001:db8:9::/48",
        "ip -4 rule add from 203.0.113.0/24 preference 909 table 9",
    ]
    peer = loads("static_ipaddress { 198.51.100.7/30 dev d0 peer 198.51.100.8 }").configuration
    assert statics_of(peer)[0].removal == ("198.51.100.7", "peer", "198.51.100.8/30", "dev", "d0")


@pytest.fixture
def own_namespace() -> Iterator[None]:
    """A network namespace with an interface d0."""
    name = f"test-{os.getpid()}-statics"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with namespaces.inside(name):
            subprocess.run(["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"], check=True)
            subprocess.run(["ip", "link", "set", "d1", "up"], check=True)
            subprocess.run(["ip", "link", "set", "d0", "up"], check=True)
            yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def there() -> set[str]:
    """All that is there of what the configuration speaks of."""
    found = set()
    for link in json.loads(subprocess.check_output(["ip", "-json", "address", "show", "dev", "d0"])):
        found |= {one["local"] for one in link["addr_info"] if one["scope"] != "link" or one["family"] == "inet"}
    for family in ("-4", "-6"):
        routes = json.loads(subprocess.check_output(["ip", "-json", family, "route"]) or "[]")
        found |= {route["dst"] for route in routes}
    rules = json.loads(subprocess.check_output(["ip", "-json", "rule"]))
    return found | {f"rule {rule['priority']}" for rule in rules if rule["priority"] == 909}


ALL = {"192.0.2.7", "198.51.100.9", "2001:db8::7", "203.0.113.0/24", "2001:db8:9::/48", "rule 909"}


@pytest.mark.root
def test_it_comes_and_goes_with_the_director_even_over_a_crash_and_what_was_there_stays(
    own_namespace: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = there()
    wanted = statics_of(loads(TEXT).configuration)
    subprocess.run(["ip", "address", "add", "198.51.100.9/24", "dev", "d0", "brd", "+"], check=True)
    Statics(tmp_path / "statics.json").have(wanted)
    assert there() >= ALL

    # Killed, and back with one address less, of which it knows that it was its own.
    again = Statics(tmp_path / "statics.json")
    again.have(wanted[1:])
    assert there() >= ALL - {"192.0.2.7"}
    assert "192.0.2.7" not in there()

    again.have(())
    assert there() - before >= {"198.51.100.9"}
    assert not (there() & (ALL - {"198.51.100.9"}))
    assert not (tmp_path / "statics.json").exists()
    assert "ERROR" not in caplog.text


@pytest.mark.root
def test_what_can_t_be_done_is_told_and_the_rest_is_done(
    own_namespace: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "static_ipaddress { 198.51.100.7/24 dev nowhere\n 198.51.100.8/24 dev d0 }"
    statics = Statics(tmp_path / "statics.json")
    statics.have(statics_of(loads(text).configuration))
    assert "198.51.100.8" in there()
    assert "nowhere" in caplog.text
    statics.have(())
    assert "198.51.100.8" not in there()
