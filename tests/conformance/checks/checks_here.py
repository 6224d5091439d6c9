"""The scenarios of health checks, played by directrix's courses and pools: no network, no clock."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from checks_scenario import SORRY, Scenario, Server, lines

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight, TellQuorum, TellServer
from directrix.checks.course import Course, PlainCourse, RoundCourse
from directrix.checks.dns_check import DnsChecker
from directrix.checks.file_check import FileCheck
from directrix.checks.file_check import judge as judge_file
from directrix.checks.misc_check import MiscCheck
from directrix.checks.misc_check import judge as judge_misc
from directrix.checks.outcome import Outcome
from directrix.checks.ping_check import PingChecker
from directrix.checks.pool import Pool
from directrix.checks.pool_values import CheckerSettings, PoolSettings, ServerSettings, SorryServer
from directrix.checks.settings import Timing
from directrix.checks.smtp_check import SmtpChecker
from directrix.checks.tcp_check import TcpChecker
from directrix.checks.udp_check import UdpChecker
from directrix.system.scripts import Ending

COURSES: dict[str, Course] = {
    "TCP_CHECK": TcpChecker.course,
    "SMTP_CHECK": SmtpChecker.course,
    "DNS_CHECK": DnsChecker.course,
    "UDP_CHECK": UdpChecker.course,
    "PING_CHECK": PingChecker.course,
    "HTTP_GET": RoundCourse(1),
}


class Director:
    """A pool, the checkers' state, and a table that does as it is told."""

    def __init__(self, scenario: Scenario) -> None:
        service = scenario.service
        self.servers = {server.name: server for server in scenario.servers}
        self.table: dict[str, int] = {}
        self.told: list[str] = []
        self.values = {(kind, server.name): 0 for server in scenario.servers for kind in ("file", "misc")}
        self.progress = {server.name: PlainCourse().begin(timing(server)) for server in scenario.servers}
        self.statuses = {server.name: [200] * server.http for server in scenario.servers if server.http}
        sorry = None if service.sorry is None else SorryServer(key(SORRY), service.sorry, service.sorry_inhibit)
        self.pool = Pool(
            PoolSettings(
                tuple(configured(server) for server in scenario.servers),
                service.quorum,
                service.hysteresis,
                sorry,
                service.omega,
            )
        )

    def step(self, words: list[str]) -> str:
        self.told = self.told if words[0] == "attempts" else []
        match words:
            case ["start"]:
                known = [
                    (key(name), "file", self.file(name)) for name, one in self.servers.items() if one.file is not None
                ]
                self.do(self.pool.start(0.0, known))
                self.run_programs()
            case ["file" as kind, name, value]:
                self.values[kind, name] = 0 if value == "none" else int(value)
                found = self.file(name)
                self.do(self.pool.report(key(name), "file", found.ok, 0.0, weight=found.weight))
            case ["misc" as kind, name, value]:
                self.values[kind, name] = int(value)
                self.run_programs()
            case ["http", name, page, value]:
                self.statuses[name][int(page) - 1] = int(value)
                return ""
            case ["until", what]:
                return lines(" ".join(words), self.table, self.told, self.fetch(what))
            case ["attempts", many]:
                return lines(" ".join(words), self.table, self.told, self.waits(int(many)))
            case ["stop"]:
                self.do(self.pool.stop(0.0))
        return lines(" ".join(words), self.table, self.told)

    def fetch(self, what: str) -> list[int]:
        """Ask for pages until the table changes, or so often."""
        [name] = self.statuses
        server, statuses, before, asked = self.servers[name], self.statuses[name], dict(self.table), []
        course = RoundCourse(server.http, server.fast)
        while (self.table == before) if what == "change" else (len(asked) < int(what)):
            page = self.progress[name].item
            asked.append(page + 1)
            step = course.step(timing(server), self.progress[name], statuses[page] == 200)
            self.progress[name] = step.progress
            if step.verdict is not None:
                self.do(self.pool.report(key(name), "http", step.verdict, 0.0))
        return asked

    def waits(self, number: int) -> list[str]:
        """Let a checker fail so often; the waits between its attempts."""
        [(name, server)] = [(name, server) for name, server in self.servers.items() if server.check]
        course, times = COURSES[server.check], timing(server)
        progress, told = course.begin(times), []
        for _ in range(number):
            step = course.step(times, progress, ok=False)
            progress = step.progress
            told.append("l" if step.delay == times.delay_loop else "r")
            if step.verdict is not None:
                self.do(self.pool.report(key(name), "check", step.verdict, 0.0))
        return told[:-1]

    def file(self, name: str) -> Outcome:
        server = self.servers[name]
        assert server.file is not None
        return judge_file(FileCheck(Path(name), server.file, server.reverse), self.values["file", name])

    def run_programs(self) -> None:
        """Each program is run until its status has counted."""
        for name, server in self.servers.items():
            for _ in range((server.retry + 2) * server.misc):
                settings = MiscCheck((name,), dynamic=server.dynamic, server_weight=server.weight)
                found = judge_misc(settings, Ending(self.values["misc", name], False, b""))
                step = PlainCourse().step(timing(server), self.progress[name], found.ok)
                self.progress[name] = step.progress
                if step.verdict is not None:
                    self.do(self.pool.report(key(name), "misc", step.verdict, 0.0, weight=found.weight))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Add(server, weight) | SetWeight(server, weight):
                    self.table[name_of(server)] = weight
                case Remove(server):
                    del self.table[name_of(server)]
                case TellServer(server, up):
                    self.told.append(f"{name_of(server)} {'up' if up else 'down'}")
                case TellQuorum(up):
                    self.told.append(f"quorum {'up' if up else 'down'}")


def configured(server: Server) -> ServerSettings:
    checkers = [CheckerSettings("file")] * (server.file is not None)
    checkers += [CheckerSettings("misc", server.alpha)] * server.misc
    checkers += [CheckerSettings("http", server.alpha)] * bool(server.http)
    checkers += [CheckerSettings("check")] * bool(server.check)
    return ServerSettings(key(server.name), server.weight, server.inhibit, tuple(checkers))


def timing(server: Server) -> Timing:
    return Timing(delay_loop=6, delay_before_retry=2, retry=server.retry, alpha=server.alpha)


def key(name: str) -> ServerKey:
    return (IPv4Address("10.0.0.99" if name == SORRY else f"10.0.0.{ord(name) - 96}"), 80)


def name_of(server: ServerKey) -> str:
    last = int(str(server[0]).rpartition(".")[2])
    return SORRY if last == 99 else chr(last + 96)


def play(scenario: Scenario) -> str:
    """The transcript of a scenario."""
    director = Director(scenario)
    steps = list(scenario.steps)
    while steps and steps[0][0] == "before":
        _, kind, name, value = steps.pop(0)
        director.values[kind, name] = int(value)
    start = director.step(["start"])
    return "".join(
        [start] * (not any(server.check for server in scenario.servers)) + [director.step(step) for step in steps]
    )
