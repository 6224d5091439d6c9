"""Inside the conformance machine: scenarios of health checks, played by keepalived on the real IPVS."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

from checks_scenario import SORRY, Scenario, Server, lines, read
from guest import ENVIRONMENT, isolate, mount, play_each

WORK = Path("/run/checks")
NUMBERS = {SORRY: 99}
LOOP, RETRY, TIMEOUT = 6, 2, 1
"""Seconds of delay_loop, delay_before_retry and connect_timeout where attempts are counted."""

ATTEMPTS = {
    "TCP_CHECK": ("connect_ip 127.0.0.1\nconnect_port 9", "Tcp", "AttemptFails", 0),
    "SMTP_CHECK": ("connect_ip 127.0.0.1\nconnect_port 9", "Tcp", "AttemptFails", 0),
    "HTTP_GET": ("connect_ip 127.0.0.1\nconnect_port 9\nurl {\npath /\n}", "Tcp", "AttemptFails", 0),
    "DNS_CHECK": ("connect_ip 127.0.0.1\nconnect_port 9", "Udp", "OutDatagrams", 0),
    "UDP_CHECK": ("connect_ip 127.0.0.1\nconnect_port 9", "Udp", "OutDatagrams", 0),
    "PING_CHECK": ("connect_ip 10.0.0.77", "Icmp", "OutEchos", TIMEOUT),
}
"""How a checker of each kind fails, the counter that shows its attempts, and how long one takes."""


def number(name: str) -> int:
    return NUMBERS.get(name) or ord(name) - ord("a") + 1


def configuration(scenario: Scenario) -> str:
    """keepalived.conf for a scenario."""
    service = scenario.service
    text = ["global_defs { script_user root; }".replace(";", "\n").replace("{", "{\n")]
    for server in scenario.servers:
        if server.file is not None:
            text.append(f"track_file {server.name} {{\nfile {WORK}/{server.name}.file\n}}")
    text.append("virtual_server 10.0.0.100 80 {\nlvs_sched rr\nlvs_method DR\nprotocol TCP\ndelay_loop 1\nwarmup 0")
    text.append(f"quorum {service.quorum}\nhysteresis {service.hysteresis}")
    text.append(f'quorum_up "{WORK}/tell quorum up"\nquorum_down "{WORK}/tell quorum down"')
    if service.omega:
        text.append("omega")
    for server in scenario.servers:
        text.append(f"real_server 10.0.0.{number(server.name)} 80 {{\nweight {server.weight}")
        text.append(f'notify_up "{WORK}/tell {server.name} up"\nnotify_down "{WORK}/tell {server.name} down"')
        if server.inhibit:
            text.append("inhibit_on_failure")
        if server.file is not None:
            reverse = " reverse" if server.reverse else ""
            text.append(f"FILE_CHECK {{\ntrack_file {server.name}\nweight {server.file}{reverse}\n}}")
        if server.misc:
            text.append(f'MISC_CHECK {{\nmisc_path "{WORK}/status {server.name}"\nmisc_timeout 5')
            text.append(f"retry {server.retry}\ndelay_before_retry 1\nwarmup 0\nuser root")
            text += ["misc_dynamic"] * server.dynamic + ["alpha true"] * server.alpha + ["}"]
        if server.http:
            text.append(f"HTTP_GET {{\nconnect_ip 127.0.0.1\nconnect_port {8000 + number(server.name)}\nwarmup 0")
            text.append(f"retry {server.retry}\ndelay_loop 3\ndelay_before_retry 3")
            text += ["fast_recovery"] * server.fast
            text += [f"url {{\npath /{page}\nstatus_code 200\n}}" for page in range(1, server.http + 1)] + ["}"]
        if server.check:
            text.append(f"{server.check} {{\n{ATTEMPTS[server.check][0]}\nwarmup 0\nretry {server.retry}")
            text.append(f"delay_loop {LOOP}\ndelay_before_retry {RETRY}\nconnect_timeout {TIMEOUT}\n}}")
        text.append("}")
    if service.sorry is not None:
        text.append(f"sorry_server 10.0.0.{number(SORRY)} 80\nsorry_server_lvs_method DR")
        text += ["sorry_server_inhibit"] * service.sorry_inhibit
    return "\n".join(text) + "\n}\n"


def table(scenario: Scenario) -> dict[str, int]:
    """What stands in IPVS's table."""
    listed = subprocess.run(["ipvsadm", "-Sn"], capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout
    names = {number(server.name): server.name for server in scenario.servers} | {number(SORRY): SORRY}
    return {names[int(last)]: int(weight) for last, weight in re.findall(r"-r 10\.0\.0\.(\d+):80 .*-w (\d+)", listed)}


def told() -> list[str]:
    log = WORK / "log"
    return log.read_text().splitlines() if log.exists() else []


def settled(scenario: Scenario, quiet: float) -> tuple[dict[str, int], list[str]]:
    """What there is when nothing has changed for a while."""
    seen, since = (table(scenario), told()), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.05)
        now = (table(scenario), told())
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


class Pages(threading.Thread):
    """The HTTP server of one real server: it notes what is asked for, and answers as it is told."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.statuses = dict.fromkeys(range(1, server.http + 1), 200)
        self.asked: list[int] = []
        self.listening = socket.create_server(("127.0.0.1", 8000 + number(server.name)))

    def run(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            with connection:
                page = int(connection.recv(4096).split()[1][1:])
                self.asked.append(page)
                connection.sendall(b"HTTP/1.0 %d Status\r\n\r\n" % self.statuses[page])


def wait_until(what: str, scenario: Scenario, pages: Pages, before: dict[str, int]) -> list[int]:
    """Wait for a change of the table, or for so many requests; the pages asked for meanwhile."""
    deadline, heard = time.monotonic() + 90, len(told())
    while time.monotonic() < deadline:
        if (table(scenario) != before) if what == "change" else (len(pages.asked) >= int(what)):
            break
        time.sleep(0.02)
    asked, pages.asked[:] = list(pages.asked), []
    # A change is told, too, and the next request comes only later.
    while what == "change" and len(told()) == heard and time.monotonic() < deadline:
        time.sleep(0.02)
    return asked


def counted(kind: str) -> int:
    """How many attempts a checker has made, by the kernel's counters."""
    _, protocol, name, _ = ATTEMPTS[kind]
    told = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in told if line.startswith(f"{protocol}:"))
    return int(dict(zip(names, values, strict=True))[name])


def waits(kind: str, number: int, before: int) -> list[str]:
    """The waits between so many attempts."""
    times: list[float] = []
    while len(times) < number:
        if (now := counted(kind)) != before:
            times.append(time.monotonic())
            before = now
        time.sleep(0.02)
    limit = (LOOP + RETRY) / 2 + ATTEMPTS[kind][3]
    return ["l" if later - sooner > limit else "r" for sooner, later in pairwise(times)]


def prepare(scenario: Scenario) -> None:
    isolate()
    WORK.mkdir(exist_ok=True)
    mount("tmpfs", str(WORK), "tmpfs")
    (WORK / "tell").write_text(f'#!/bin/sh\necho "$@" >> {WORK}/log\n')
    (WORK / "status").write_text(f"#!/bin/sh\nread status < {WORK}/$1.status && exit $status\n")
    for name in ("tell", "status"):
        (WORK / name).chmod(0o755)
    for server in scenario.servers:
        (WORK / f"{server.name}.status").write_text("0\n")
    (WORK / "keepalived.conf").write_text(configuration(scenario))
    # Nobody answers at these addresses; the services need an address for their forwarding all the same.
    subprocess.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"], check=True, env=ENVIRONMENT)
    for words in ("link set eth0 up", "link set eth1 up", "addr add 10.0.0.200/24 dev eth0"):
        subprocess.run(["ip", *words.split()], check=True, env=ENVIRONMENT)


def put(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    new.rename(path)


def play(path: Path) -> str:
    scenario = read(path)
    prepare(scenario)
    slow = any(server.misc for server in scenario.servers)
    quiet = 1.5 + 1.5 * slow + max(server.retry for server in scenario.servers)
    while scenario.steps and scenario.steps[0][0] == "before":
        _, kind, name, value = scenario.steps.pop(0)
        put(WORK / f"{name}.{'file' if kind == 'file' else 'status'}", f"{value}\n")
    pages = {server.name: Pages(server) for server in scenario.servers if server.http}
    for each in pages.values():
        each.start()
    made = next((counted(server.check) for server in scenario.servers if server.check), None)
    files = ["-f", f"{WORK}/keepalived.conf", "-p", f"{WORK}/pid", "-c", f"{WORK}/checkers.pid"]
    with (WORK / "said").open("w") as said:
        words = ["keepalived", "--dont-fork", "--check", "--log-console", "--no-syslog", *files]
        daemon = subprocess.Popen(words, stdout=said, stderr=said, env=ENVIRONMENT)
    deadline = time.monotonic() + 30
    while not subprocess.run(["ipvsadm", "-Sn"], capture_output=True, env=ENVIRONMENT).stdout:
        if time.monotonic() > deadline or daemon.poll() is not None:
            raise RuntimeError((WORK / "said").read_text())
        time.sleep(0.05)
    transcript, before, standing = "", 0, table(scenario)
    # The first attempt comes a second after the start, whatever the machine is doing.
    for step in scenario.steps if made is not None else [["start"], *scenario.steps]:
        match step:
            case ["file", name, "none"]:
                (WORK / f"{name}.file").unlink()
            case ["file", name, value]:
                put(WORK / f"{name}.file", f"{value}\n")
            case ["misc", name, value]:
                put(WORK / f"{name}.status", f"{value}\n")
            case ["http", name, page, value]:
                pages[name].statuses[int(page)] = int(value)
                continue
            case ["attempts", many]:
                [kind] = [server.check for server in scenario.servers if server.check]
                asked = waits(kind, int(many), made)
            case ["start"] if pages:
                time.sleep(0.5)
            case ["until", what]:
                asked = wait_until(what, scenario, *pages.values(), standing)
            case ["stop"]:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait()
        quick = pages or made is not None
        standing, log = (table(scenario), told()) if quick else settled(scenario, quiet)
        transcript += lines(" ".join(step), standing, log[before:], asked if step[0] in ("until", "attempts") else None)
        before = len(log)
    if daemon.poll() is None:
        daemon.kill()
        subprocess.run(["sh", "-c", f"kill -9 $(cat {WORK}/checkers.pid)"], env=ENVIRONMENT, check=False)
    return transcript


def main(output: Path) -> None:
    play_each(play, output, at_once=lambda path: 4)
