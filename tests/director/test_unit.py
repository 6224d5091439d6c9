"""The systemd unit that is shipped: what it starts is a command there is, and it says what the director does."""

from __future__ import annotations

import argparse
import shlex
from configparser import RawConfigParser
from pathlib import Path

from directrix.cli import run

UNIT = Path(__file__).parents[2] / "share" / "systemd" / "directrix.service"


def test_the_unit_starts_a_director_that_tells_how_it_is() -> None:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    program, command, *words = shlex.split(service["ExecStart"])
    assert (Path(program).name, command) == ("directrix", "run")
    parser = argparse.ArgumentParser()
    run.configure(parser)
    assert parser.parse_args(words).use_file == "/etc/keepalived/keepalived.conf"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert "-HUP" in service["ExecReload"]
    assert service["RestartKillSignal"] == "SIGQUIT"
    assert int(service["WatchdogSec"]) > 0
    assert service["RuntimeDirectoryPreserve"] == "yes"
