"""A lab that the doctor examines, through the commands as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from directrix.doctor.finding import THE_DIRECTOR
from directrix.lab import state
from directrix.lab.breaking import break_lab, heal_lab
from directrix.lab.breaks import BREAKS
from directrix.lab.builder import build
from directrix.lab.inside import in_shell
from directrix.lab.language import read_lab
from directrix.lab.ready_made import find
from directrix.lab.state import HostState, LabState
from directrix.lab.teardown import take_down
from directrix.system import namespaces

_SETTINGS = ("rp_filter", "arp_ignore", "arp_announce", "forwarding", "arp_filter")


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor said, as JSON, and its exit status."""

    status: int
    said: dict[str, Any]

    @property
    def outcome(self) -> str:
        return str(self.said["outcome"])

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Findings that complain."""
        return [finding for finding in self.said["findings"] if finding["outcome"] in ("warn", "fail")]

    def of(self, check: str) -> list[dict[str, Any]]:
        """What a check complains of."""
        return [finding for finding in self.wrong if finding["check"] == check]


class Patient:
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def lab(self) -> LabState:
        known = state.read(self.name)
        assert known is not None
        return known

    def host(self, name: str) -> HostState:
        return next(host for host in self.lab.hosts if host.name == name)

    def run(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        """A command line typed into a shell on a host."""
        with namespaces.inside(self.host(host).namespace):
            return subprocess.run(
                ["sh", "-c", in_shell(command)], capture_output=True, text=True, check=False, timeout=120
            )

    def examine(self, host: str, *options: str) -> Examination:
        with namespaces.inside(self.host(host).namespace):
            done = subprocess.run(
                [sys.executable, "-m", "directrix", "doctor", "--json", *options],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        assert done.returncode in (0, 1, 2), done.stderr
        return Examination(done.returncode, json.loads(done.stdout))

    def follow(self, finding: dict[str, Any], host: str) -> None:
        """Type what a finding advises, as printed, where it says."""
        assert finding["remedies"], finding
        for remedy in finding["remedies"]:
            where = self._at(remedy["on"]) if remedy["on"] else host
            done = self.run(where, remedy["command"])
            # A command of the doctor's own says by its status what it found after mending.
            assert done.returncode == 0, (where, remedy["command"], done.stdout, done.stderr)

    def _at(self, address: str) -> str:
        """The host that has an address, over ssh one would reach it so; or the director."""
        if address == THE_DIRECTOR:
            return next(host.name for host in self.lab.hosts if host.role == "director")
        wanted = address.partition("%")[0]
        return next(
            host.name
            for host in self.lab.hosts
            if host.addresses and f" {wanted}/" in self.run(host.name, "ip -oneline address show").stdout
        )

    @contextmanager
    def broken(self, name: str) -> Iterator[str]:
        """Something broken, for the length of a `with` block; gives the host on which it is."""
        made = break_lab(self.lab, BREAKS[name])
        try:
            yield made.host
        finally:
            heal_lab(self.lab)

    def snapshot(self) -> dict[str, str]:
        """All that breaks may change, host by host: addresses, links, routes, neighbours, settings, rules, sockets."""
        commands = (
            "ip -oneline -details address show | sed 's/ valid_lft.*//'",
            "ip -oneline link show | sed 's/state [A-Z]*//; s/qdisc [a-z]*//'",
            "ip -4 route show table all | sort; ip -6 route show table all | sort",
            "ip neighbour show nud permanent; nft list ruleset; tc qdisc show | sort",
            f"grep -H . {' '.join(f'/proc/sys/net/ipv4/conf/*/{key}' for key in _SETTINGS)}",
            "ss -Hltn | awk '{print $4}' | sort",
        )
        of_director = ("directrix status --json | grep '\"size\"'", "directrix ipvsadm -S -n")
        return {
            host.name: self.run(host.name, "\n".join(commands + of_director * (host.role == "director"))).stdout
            for host in self.lab.hosts
        }


@contextmanager
def lab_of(ready_made: str) -> Iterator[Patient]:
    """A ready-made lab for the length of a `with` block."""
    name = f"doctor-{ready_made}-{os.getpid()}"
    build(read_lab(find(ready_made)), name, "tests")
    try:
        yield Patient(name)
    finally:
        take_down(name)
