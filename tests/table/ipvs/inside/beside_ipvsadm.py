"""The real ipvsadm and ours at one table: what either does, the other shows, in the same words."""

from __future__ import annotations

import errno
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import guest
import pytest

from directrix.ipvsadm.command import main
from directrix.lvs import Counters, TableError
from directrix.lvs.connection import ConnectionFlags
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.errors import TableUnavailable
from directrix.table.interface import Table
from directrix.table.ipvs import IpvsTable, open_ipvs

RULES = """\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.0.0.11:80 -g -w 10
-a -t 10.0.0.1:80 -r 10.0.0.12:8080 -m -w 0
-a -t 10.0.0.1:80 -r 10.0.0.13:80 -i -w 1 --tun-type ipip
-a -t 10.0.0.1:80 -r 10.0.0.14:80 -i -w 2147483647 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.1:80 -r 10.0.0.15:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-remcsum
-a -t 10.0.0.1:80 -r 10.0.0.16:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t 10.0.0.1:80 -r [fd00::11]:80 -i -w 1 --tun-type ipip
-A -t 10.0.0.1:443 -s sh -p 600 -M 255.255.0.0 -b sh-fallback,sh-port
-A -t [fd00::1]:80 -s mh -p 360 -M 64 -b mh-port
-a -t [fd00::1]:80 -r [fd00::11]:80 -g -w 1
-A -u 10.0.0.1:53 -s rr -o
-A -u 10.0.0.1:5060 -s lc -p 30 --pe sip
-A -u 10.0.0.2:5060 -s lc --pe sip
-A -u 10.0.0.3:53 -s nq -b flag-1,flag-2,flag-3
-A --sctp-service 10.0.0.1:2905 -s wlc
-a --sctp-service 10.0.0.1:2905 -r 10.0.0.11:2905 -m -w 1
-A -f 5 -s fo -p 360
-a -f 5 -r 10.0.0.11:0 -g -w 1
-A -f 5 -6 -s ovf
-A -f 2147483647 -s dh
"""
"""Every attribute that `-S` can tell of."""

THRESHOLDS = "-e -t 10.0.0.1:80 -r 10.0.0.11:80 -g -w 10 -x 2147483647 -y 5"

LISTINGS = [
    ["-L", "-n"],
    ["-L", "-n", "--nosort"],
    ["-L", "-n", "--stats", "--exact"],
    ["-L", "-n", "--rate"],
    ["-L", "-n", "--thresholds"],
    ["-L", "-n", "--persistent-conn"],
    ["-L", "-n", "--tun-info"],
    ["-L", "-n", "-t", "10.0.0.1:80"],
    ["-L", "-n", "-f", "5", "-6"],
    ["-L", "-n", "-t", "10.0.0.99:80"],
    ["-L", "-n", "-c"],
    ["-L", "--timeout"],
    ["-S", "-n"],
]

Answer = tuple[int, str, str]


def theirs(*words: str, stdin: str = "") -> Answer:
    """What the real ipvsadm answers."""
    done = subprocess.run(["ipvsadm", *words], input=stdin, capture_output=True, text=True, env=guest.ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


def ours(*words: str, stdin: str = "") -> Answer:
    """What ours answers over the kernel's IPVS."""
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(words, opened, io.StringIO(stdin), stdout, stderr)
    return status, stdout.getvalue(), stderr.getvalue()


def opened(*, create: bool) -> Table:
    return open_ipvs()


def send_datagram(to: tuple[str, int], data: bytes) -> None:
    """From a port of its own."""
    with socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, to)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what IPVS does by itself every two seconds."""
    limit = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(
    ("writer", "reader"), [(theirs, ours), (ours, theirs)], ids=["theirs read by ours", "ours read by theirs"]
)
def test_rules_written_by_one_are_saved_alike_by_the_other(
    writer: Callable[..., Answer], reader: Callable[..., Answer]
) -> None:
    assert writer("-R", stdin=RULES) == (0, "", "")
    saved = reader("-S", "-n")
    assert sorted(saved[1].splitlines()) == sorted(RULES.splitlines())
    assert saved == writer("-S", "-n")


@pytest.mark.usefixtures("namespace")
def test_every_listing_is_the_same_to_the_byte() -> None:
    assert theirs("-R", stdin=RULES + THRESHOLDS) == (0, "", "")
    theirs("--set", "1000", "0", "77")
    for words in LISTINGS:
        assert ours(*words) == theirs(*words)


@pytest.mark.usefixtures("namespace")
def test_the_command_itself_lists_what_ipvsadm_does() -> None:
    theirs("-R", stdin=RULES)
    command = [sys.executable, "-m", "directrix", "--table", "ipvs", "ipvsadm", "-L", "-n"]
    done = subprocess.run(command, capture_output=True, text=True, env=guest.ENVIRONMENT)
    assert (done.returncode, done.stdout, done.stderr) == theirs("-L", "-n")


def test_connections_and_counters_are_what_ipvsadm_shows(table: IpvsTable) -> None:
    for address in ("10.0.0.1/32", "10.0.0.11/32", "fd00::1/128", "fd00::11/128"):
        command = ["ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else [])]
        subprocess.run(command, check=True, env=guest.ENVIRONMENT)
    rules = """\
        -A -t 10.0.0.1:80 -p 360 -M 255.0.0.0
        -a -t 10.0.0.1:80 -r 10.0.0.11:80
        -A -u [fd00::1]:53
        -a -u [fd00::1]:53 -r [fd00::11]:53
        -A -u 10.0.0.1:5060 -p 60 --pe sip
        -a -u 10.0.0.1:5060 -r 10.0.0.11:5060
        """
    assert ours("-R", stdin=rules) == (0, "", "")
    with socket.create_server(("0.0.0.0", 80)), socket.create_connection(("10.0.0.1", 80)):
        for last in range(3):
            send_datagram(("fd00::1", 53), b"x" * last)
        send_datagram(("10.0.0.1", 5060), b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: first@here\r\nCSeq: 1 OPTIONS\r\n\r\n")
        for words in (["-L", "-n", "-c"], ["-L", "-n", "-c", "--persistent-conn"], ["-L", "-n"]):
            # A second may pass between the two.
            until(lambda words=words: theirs(*words) == ours(*words) == theirs(*words))
        entries = list(table.connections())
    assert sorted((entry.protocol, entry.state) for entry in entries) == [
        (6, "ASSURED"),
        (6, "ESTABLISHED"),
        (17, "NONE"),
        *[(17, "UDP")] * 4,
    ]
    (call,) = (entry for entry in entries if entry.engine)
    assert (call.flags, call.engine, call.engine_data) == (ConnectionFlags.TEMPLATE, "sip", "first@here")
    until(lambda: table.totals()[0].connections == 5)
    until(lambda: theirs("-L", "-n", "--stats") == ours("-L", "-n", "--stats") == theirs("-L", "-n", "--stats"))
    assert sum(state.counters.connections for state in table.services()) == 5
    for words in (["-Z", "-u", "[fd00::1]:53"], ["-Z"]):
        assert ours(*words) == (0, "", "")
        assert ours("-L", "-n", "--stats", "--exact") == theirs("-L", "-n", "--stats", "--exact")
    assert table.totals()[0] == Counters()


def test_a_daemon_started_by_either_is_seen_by_the_other(table: IpvsTable) -> None:
    assert table.daemons() == []
    backup = SyncDaemon(DaemonRole.BACKUP, "lo", 3, 1400, None, 9000, 7)
    table.start_daemon(backup)
    listed = "backup sync daemon (mcast=lo, syncid=3, maxlen=1400, group=224.0.0.81, port=9000, ttl=7)\n"
    assert theirs("-L", "--daemon") == (0, listed, "")
    assert theirs("--start-daemon", "master", "--mcast-interface", "lo", "--mcast-group", "224.1.2.3") == (0, "", "")
    master, found = table.daemons()
    assert (master.role, str(master.group), master.port, master.ttl) == (DaemonRole.MASTER, "224.1.2.3", 8848, 1)
    assert (found.role, found.sync_id, found.port) == (DaemonRole.BACKUP, 3, 9000)
    for refused, number in (
        (lambda: table.start_daemon(backup), errno.EEXIST),
        (lambda: table.start_daemon(SyncDaemon(DaemonRole.BACKUP, "nowhere0")), errno.ENODEV),
    ):
        with pytest.raises(TableError) as caught:
            refused()
        assert caught.value.errno == number
    for role in DaemonRole:
        table.stop_daemon(role)
    assert theirs("-L", "--daemon") == (0, "", "")
    with pytest.raises(TableError) as caught:
        table.stop_daemon(DaemonRole.MASTER)
    assert caught.value.errno == errno.ESRCH


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("run", [theirs, ours])
def test_commands_for_daemons_are_answered_alike(run: Callable[..., Answer]) -> None:
    options = (
        "--mcast-interface lo --syncid 7 --sync-maxlen 1400 --mcast-group 224.1.2.3 --mcast-port 9000 --mcast-ttl 5"
    )
    assert run("--start-daemon", "backup", *options.split()) == (0, "", "")
    assert run("--start-daemon", "backup", *options.split()) == (255, "", "Daemon has already run\n")
    assert run("--start-daemon", "master") == (255, "", "No such device\n")
    assert run("--start-daemon", "master", "--mcast-interface", "lo") == (0, "", "")
    listed = run("-L", "--daemon")
    assert listed[1].count("\n") == 2
    assert listed == theirs("-L", "--daemon") == ours("-L", "--daemon")
    # Whoever stops a daemon that has not run yet is never answered, and ipvsadm waits for ever.
    time.sleep(0.5)
    assert run("--stop-daemon", "master") == (0, "", "")
    assert run("--stop-daemon", "backup") == (0, "", "")
    assert run("--stop-daemon", "backup") == (255, "", "No daemon is running\n")


def test_many_services_and_real_servers_come_whole(table: IpvsTable) -> None:
    rules = [f"-A -t 10.1.{i}.1:80 -s rr" for i in range(200)]
    rules += [f"-a -t 10.1.0.1:80 -r 10.2.{i // 250}.{i % 250 + 1}" for i in range(500)]
    assert ours("-R", stdin="\n".join(rules)) == (0, "", "")
    assert len(table.services()) == 200
    assert max(len(state.servers) for state in table.services()) == 500
    assert ours("-S", "-n") == theirs("-S", "-n")


def test_without_privilege_the_words_are_those_of_ipvsadm(namespace: None) -> None:
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            open_ipvs()
        except TableUnavailable as error:
            os._exit(0 if str(error) == "Can't initialize ipvs: Permission denied (you must be root)" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_module_is_loaded_when_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modprobe = ["modprobe", "-d", "/run/root"]
    others = [name for name in guest.MODULES if name != "ip_vs"]
    subprocess.run([*modprobe, "-r", *others, "ip_vs"], check=True, env=guest.ENVIRONMENT)
    try:
        # The host this machine sees has no modules for its kernel where modprobe looks for them.
        with pytest.raises(
            TableUnavailable, match=r"^Can't initialize ipvs: Protocol not available \(modprobe: .*\); "
        ):
            open_ipvs()
        monkeypatch.setenv("MODPROBE_OPTIONS", "-d /run/root")
        open_ipvs().close()
        assert theirs("-L", "-n")[0] == 0
    finally:
        subprocess.run([*modprobe, "-a", *guest.MODULES], check=True, env=guest.ENVIRONMENT)
