"""`directrix trace` as a user runs it, over real traffic; and that nothing is left of it, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from hosts import DIRECTRIX, VIP, Cluster, Host, service, until
from scapy.layers.inet import IP  # type: ignore[import-untyped]
from scapy.utils import rdpcap  # type: ignore[import-untyped]
from test_replacing import program_ids
from traffic import Load, ask, serve

pytestmark = pytest.mark.root


class Trace:
    """A trace at work on a host."""

    def __init__(self, host: Host, *words: str) -> None:
        self.process = host.start(*DIRECTRIX, "trace", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        # it says so once the programs are exchanged; a refusal comes in this place
        self.first = self.process.stderr.readline()

    def end(self, number: int = signal.SIGINT) -> tuple[list[str], str]:
        """Its lines, and what it said at the end."""
        self.process.send_signal(number)
        return self.rest()

    def rest(self) -> tuple[list[str], str]:
        """The same once it ends by itself."""
        out, err = self.process.communicate(timeout=60)
        return out.splitlines(), err


BY_EITHER_HOOK = pytest.mark.parametrize("director", ["tc", "xdp"], indirect=True)


@pytest.fixture
def director(request: pytest.FixtureRequest, one: Cluster) -> Host:
    """A director with two real servers, by either hook; what local stacks send has whole checksums."""
    serve(one)
    for host in one.hosts.values():
        host.run("ethtool", "-K", "eth0", "tx", "off", check=False)
    # each short connection is kept for two minutes after its end: the table must hold all of them
    hook = "xdp-generic" if getattr(request, "param", "tc") == "xdp" else "tc"
    one["director"].directrix("up", "-q", "-c", "200000", "--hook", hook)
    one["director"].restore(service())
    return one["director"]


@BY_EITHER_HOOK
def test_connections_are_shown_and_the_programs_are_the_old_ones_afterwards(one: Cluster, director: Host) -> None:
    before = program_ids(one)
    trace = Trace(director, "service", f"{VIP}:80", "tcp")
    assert trace.first == "tracing; Ctrl-C ends it\n"
    assert program_ids(one) != before
    names = [ask(one["client"]) for _ in range(2)]
    lines, said = trace.end()
    assert trace.process.returncode == 0
    assert program_ids(one) == before
    assert director.status()["interfaces"][0]["attached"]
    new = [line for line in lines if ", new SYN_RECV" in line]
    assert len(new) == 2
    for line, name in zip(new, names, strict=True):
        assert f"> {VIP}:80 S " in line
        assert f"-> 10.0.0.1{name[-1]}:80 by eth0" in line
    assert any("SYN_RECV>ESTABLISHED" in line for line in lines)
    assert said == f"{len(lines)} packets shown\n"


def test_it_ends_after_so_many_packets_or_so_long(one: Cluster, director: Host) -> None:
    trace = Trace(director, "new", "-c", "2", "--json")
    load = Load(one["client"], echoes=0, shorts=1).start()
    lines, _ = trace.rest()
    load.stop()
    assert [json.loads(line)["connection"]["new"] for line in lines] == [True, True]
    trace = Trace(director, "host", "192.0.2.1", "--for", "0.3")
    assert trace.rest() == ([], "0 packets shown\n")
    assert load.mishaps == []


def test_a_capture_goes_to_a_file_and_through_a_pipe(one: Cluster, director: Host, tmp_path: Path) -> None:
    file = tmp_path / "capture.pcapng"
    trace = Trace(director, "tcp", "-w", str(file))
    ask(one["client"])
    assert trace.end(signal.SIGTERM)[0] == []
    packets = rdpcap(str(file))
    assert {packet[IP].dst for packet in packets} == {VIP}
    assert {packet.dst for packet in packets} == {director.mac()}
    with director.entered():
        command = f"{' '.join(DIRECTRIX)} trace tcp -c 1 -w - 2>{tmp_path}/said | head -c 4 | od -An -tx1"
        shell = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, text=True)
    until("it traces", lambda: "tracing" in (tmp_path / "said").read_text() if (tmp_path / "said").exists() else False)
    ask(one["client"])
    assert shell.communicate(timeout=60)[0].split() == ["0a", "0d", "0d", "0a"]


def test_one_trace_at_a_time_and_the_other_is_told_who_traces(one: Cluster, director: Host) -> None:
    trace = Trace(director, "new")
    refused = director.directrix("trace", check=False)
    assert refused.returncode == 1
    assert f"process {trace.process.pid} traces already" in refused.stderr
    ask(one["client"])
    assert len(trace.end()[0]) == 1


@BY_EITHER_HOOK
def test_a_killed_trace_costs_no_packet_and_the_next_command_puts_the_plain_programs_back(
    one: Cluster, director: Host
) -> None:
    before = program_ids(one)
    load = Load(one["client"], echoes=1, shorts=1).start()
    trace = Trace(director)
    trace.process.kill()
    trace.process.wait()
    left = program_ids(one)
    assert left != before
    until("it has gone on", lambda n=load.echoed: load.echoed > n + 20)
    director.ipvsadm(f"-A -t {VIP}:8080 -s rr")
    assert program_ids(one) not in (left, before)
    director.ipvsadm(f"-A -t {VIP}:8081 -s rr")
    again = Trace(director, "-c", "1")
    again.rest()
    load.stop()
    assert load.mishaps == []
    assert not {"table_full", "server_gone", "busy"} & director.verdicts().keys()


def test_it_ends_when_nobody_reads_it_any_more(one: Cluster, director: Host) -> None:
    before = program_ids(one)
    trace = Trace(director)
    assert trace.process.stdout is not None
    trace.process.stdout.close()
    ask(one["client"])
    until("it has ended", lambda: trace.process.poll() is not None, 20)
    assert trace.process.returncode == 141
    assert program_ids(one) == before


def test_up_and_down_end_a_trace_and_it_says_so(one: Cluster, director: Host) -> None:
    trace = Trace(director)
    director.directrix("up", "-q")
    renewed = program_ids(one)
    _, said = trace.rest()
    assert trace.process.returncode == 1
    assert "this trace is over" in said
    assert program_ids(one) == renewed
    trace = Trace(director)
    director.directrix("down", "-q")
    assert "this trace is over" in trace.rest()[1]
    assert director.directrix("status", check=False).returncode == 3


def test_where_there_is_nothing_to_trace_it_is_said(cluster: Cluster) -> None:
    host = cluster.host("director")
    nothing = host.directrix("trace", check=False)
    assert (nothing.returncode, "there is no table" in nothing.stderr) == (2, True)
    assert host.directrix("trace", "prot", "tcp", check=False).returncode == 2
    assert host.directrix("trace", "-c", "0", check=False).returncode == 2
    cluster.wire(host, "eth0", cluster.host("other"), "eth0")
    host.directrix("up", "-q", "-c", "1000")
    for words in (["--rate", "0"], ["-s", "5000"]):
        assert host.directrix("trace", *words, check=False).returncode == 1
    host.ip("link del eth0")
    gone = host.directrix("trace", check=False)
    assert (gone.returncode, "attached to no interface" in gone.stderr) == (2, True)
