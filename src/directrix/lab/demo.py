"""A cluster at work, shown step by step and checked step by step.

Every command is really run as it is shown, and every claim is read from what it really said.
"""

from __future__ import annotations

import re
import resource
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from directrix.lab.builder import require_programs
from directrix.lab.kept_connection import kept_connection
from directrix.lab.performing import NAME, build_lab, perform
from directrix.lab.privilege import require_root
from directrix.lab.stage import Stage
from directrix.lab.state import HostState
from directrix.lab.teardown import end_processes
from directrix.system import namespaces
from directrix.system.commands import CommandFailed

_VIP, _CLIENT = "10.0.0.100", "10.0.0.50"
_SERVICE, _URL = f"{_VIP}:80", f"http://{_VIP}/"
_ADDRESSES = {"rs1": "10.0.0.11:80", "rs2": "10.0.0.12:80"}
_WEIGHTS = {"rs1": 10, "rs2": 20}
_NINE = ("sh", "-c", f"for i in $(seq 9); do curl -s -m 2 {_URL}; done")
_SHOWN_LINES = 10
_UNTIL_COUNTED = 2.5  # seconds


@dataclass(frozen=True, slots=True)
class _Cluster:
    client: HostState
    director: HostState


def demo(stage: Stage) -> bool:
    """Build the one-segment cluster, show what it does, take it down; True if all was as shown.

    Raises:
        LabError: it can't be built, or not be taken down.
    """
    require_root()
    require_programs({"curl": "curl", "ab": "apache2-utils"})
    _raise_file_limit()
    title = "A direct-routing cluster on this machine, in network namespaces"
    return perform(stage, title, lambda stage: _show(stage, _build(stage)))


def _build(stage: Stage) -> _Cluster:
    stage.step("Four hosts on one wire")
    stage.say("A client, a director and two real servers with nginx, each in a network namespace of its own.")
    lab = build_lab(stage, "one-segment")
    stage.say(f"`director$` is a shell one gets with `directrix lab exec --lab {NAME} director`.")
    stage.say(f"Clients ask the virtual address, {_VIP}. The director holds it, and the real servers too, silently.")
    return _Cluster(lab.host("client"), lab.host("director"))


def _show(stage: Stage, cluster: _Cluster) -> None:
    """Show the steps in their order; each stands on those before, so the first difference is the last step."""
    for step in (_weighted_round_robin, _quiesce, _statistics, _thousand, _no_process):
        try:
            step(stage, cluster)
        except CommandFailed as failure:
            stage.check(False, f"`{failure.command}` succeeds", failure.output or f"it ended with {failure.status}")
        if stage.differences:
            return


def _weighted_round_robin(stage: Stage, cluster: _Cluster) -> None:
    stage.step("Weighted round robin")
    stage.say("rs2 gets twice the weight of rs1: of nine requests rs1 shall answer three, rs2 six.")
    _ipvsadm(stage, cluster, "-C")
    _ipvsadm(stage, cluster, "-A", "-t", _SERVICE, "-s", "wrr")
    for server, weight in _WEIGHTS.items():
        _ipvsadm(stage, cluster, "-a", "-t", _SERVICE, "-r", _ADDRESSES[server], "-g", "-w", str(weight))
    _ipvsadm(stage, cluster, "-Ln")
    answers = _nine_requests(stage, cluster)
    stage.check(answers == {"rs1": 3, "rs2": 6}, "rs1 answered three, rs2 six", _tally(answers))


def _quiesce(stage: Stage, cluster: _Cluster) -> None:
    stage.step("A server with weight 0, and the connection it still has")
    stage.say("The client opens one connection and keeps asking over it, five times a second.")
    with kept_connection(stage, cluster.client, _URL) as kept:
        first = kept.answers(2)
        stage.show_output(" ".join(first) + " …")
        server = first[0]
        stage.say(f"Now {server} gets weight 0: no new connections, but the one it has goes on.")
        _ipvsadm(stage, cluster, "-e", "-t", _SERVICE, "-r", _ADDRESSES[server], "-g", "-w", "0")
        before = kept.count()
        answers = _nine_requests(stage, cluster)
        other = next(name for name in _ADDRESSES if name != server)
        stage.check(answers == {other: 9}, f"nine new requests, all answered by {other}", _tally(answers))
        later = kept.answers(before + 3)[before:]
        stage.check(
            set(later) == {server} and len(later) >= 3 and kept.opened() == 1,
            f"the open connection was answered {len(later)} times more, all by {server}",
            f"answers after the change: {' '.join(later) or 'none'}; connections opened: {kept.opened()}",
        )
        stage.step("The connection list")
        stage.say("One line for each connection: the open one is ESTABLISHED, those that ended wait to be forgotten.")
        listing = _ipvsadm(stage, cluster, "-Lcn")
        lines = [line.split() for line in listing.splitlines()]
        held = [
            words
            for words in lines
            if "ESTABLISHED" in words and _ADDRESSES[server] in words and any(_CLIENT in word for word in words)
        ]
        stage.check(len(held) == 1, f"one connection to {server} is ESTABLISHED", f"there are {len(held)}")
    _ipvsadm(stage, cluster, "-e", "-t", _SERVICE, "-r", _ADDRESSES[server], "-g", "-w", str(_WEIGHTS[server]))


def _statistics(stage: Stage, cluster: _Cluster) -> None:
    stage.step("The statistics")
    stage.say("Packets come in at the director; none go out through it: the real servers answer the client directly.")
    stage.say("Listings show the counters as the director last took them down, as IPVS does, every two seconds.")
    time.sleep(_UNTIL_COUNTED)
    listing = _ipvsadm(stage, cluster, "-Ln", "--stats")
    found = re.search(rf"^TCP +{re.escape(_SERVICE)} +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)", listing, re.MULTILINE)
    _, in_packets, out_packets, in_bytes, out_bytes = found.groups() if found else ("",) * 5
    stage.check(
        in_packets not in ("", "0") and in_bytes not in ("", "0") and out_packets == out_bytes == "0",
        f"{in_packets} packets in, {out_packets} out",
        f"packets in: {in_packets or 'not listed'}, out: {out_packets or 'not listed'}",
    )


def _thousand(stage: Stage, cluster: _Cluster) -> None:
    stage.step("A thousand requests, all at once")
    figures = ("Concurrency Level", "Complete requests", "Failed requests", "Non-2xx", "Requests per second")

    def shorten(report: str) -> str:
        return "\n".join(line for line in report.splitlines() if line.startswith(figures))

    report = stage.run(cluster.client, ["ab", "-q", "-s", "10", "-n", "1000", "-c", "1000", _URL], shorten)
    complete = re.search(r"^Complete requests: +1000$", report, re.MULTILINE)
    failed = re.search(r"^Failed requests: +(\d+)$", report, re.MULTILINE)
    stage.check(
        complete is not None and failed is not None and failed[1] == "0" and "Non-2xx" not in report,
        "a thousand answered, none failed",
        report,
    )


def _no_process(stage: Stage, cluster: _Cluster) -> None:
    stage.step("The director without any process")
    stage.say("The table lives in the kernel. Whatever process lives on the director is killed:")
    namespace = namespaces.identity(cluster.director.namespace)
    assert namespace is not None
    stage.show_command("", ["ip", "netns", "pids", cluster.director.namespace])
    pids = namespaces.processes(namespace)
    stage.show_output("\n".join(map(str, pids)) or "(none)")
    if pids:
        stage.show_command("", ["kill", "-9", *map(str, pids)])
        end_processes(namespace, patience=0)
    left = namespaces.processes(namespace)
    stage.check(not left, "no process lives on the director", f"still there: {left}")
    answers = _nine_requests(stage, cluster)
    stage.check(answers == {"rs1": 3, "rs2": 6}, "and traffic goes on: rs1 answered three, rs2 six", _tally(answers))


def _ipvsadm(stage: Stage, cluster: _Cluster, *options: str) -> str:
    return stage.run(cluster.director, ["directrix", "ipvsadm", *options], _shorten)


def _nine_requests(stage: Stage, cluster: _Cluster) -> Counter[str]:
    return Counter(stage.run(cluster.client, _NINE, lambda said: " ".join(said.split())).split())


def _tally(answers: Counter[str]) -> str:
    return ", ".join(f"{name} answered {count}" for name, count in sorted(answers.items())) or "nobody answered"


def _shorten(text: str) -> str:
    """The first lines of a long listing; of connections, the open ones are never left out."""
    lines = text.splitlines()
    if len(lines) <= _SHOWN_LINES:
        return text
    open_ones = [line for line in lines[_SHOWN_LINES:] if " ESTABLISHED " in line]
    shown = lines[: max(_SHOWN_LINES - len(open_ones), 0)] + open_ones
    return "\n".join([*shown, f"… and {len(lines) - len(shown)} lines more"])


def _raise_file_limit() -> None:
    """A thousand connections are more than the thousand open files a shell usually allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted) if hard >= 0 else hard))
