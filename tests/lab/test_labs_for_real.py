"""Labs really built: what is in them, who reaches whom, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from laboratory import COMMAND, PLAIN, homeless, inside, lab, remains, until

from directrix.lab import plumbing, state
from directrix.lab.language import read_lab
from directrix.lab.ready_made import find
from directrix.system import namespaces

pytestmark = pytest.mark.root


def links() -> str:
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


class TestBuilding:
    def test_hosts_reach_each_other_and_only_the_director_answers_for_the_vip(self, name: str, plain: Path) -> None:
        before = links()
        done = lab("up", str(plain), "--name", name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert inside(name, "client", "curl", "-s", "http://10.0.0.11/", "http://[fd00::11]/") == "rs\nrs\n"
        [director] = json.loads(inside(name, "director", "ip", "-j", "link", "show", "dev", "eth0"))
        for vip in ("10.0.0.100", "[fd00::100]"):
            refused = lab("exec", "--lab", name, "client", "curl", "-s", "-m", "30", f"http://{vip}/")
            assert refused.returncode == 7
        neighbours = json.loads(inside(name, "client", "ip", "-j", "neigh"))
        found = {each["dst"]: each["lladdr"] for each in neighbours if each["dst"] in ("10.0.0.100", "fd00::100")}
        assert found == {"10.0.0.100": director["address"], "fd00::100": director["address"]}
        assert links() == before

    def test_large_answers_arrive_whole_through_plain_veths(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        size = inside(
            name,
            "client",
            "curl",
            "-s",
            "-m",
            "20",
            "-o",
            "/dev/null",
            "-w",
            "%{size_download}",
            "http://10.0.0.11/large",
        )
        assert size == str(100 * 1024 * 1024)

    def test_in_the_routed_lab_clients_and_servers_reach_each_other_through_the_gateway(
        self, name: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "routed.toml"
        file.write_text("\n".join(without_virtual_services(find("routed").read_text().splitlines())))
        assert lab("up", str(file), "--name", name).returncode == 0
        for client in ("client", "client2"):
            said = inside(name, client, "curl", "-s", "-m", "30", "http://10.0.2.11/", "http://[fd00:2::12]/")
            assert said == "rs1\nrs2\n"
        assert inside(name, "rs1", "ip", "route", "get", "192.0.2.10").startswith("192.0.2.10 via 10.0.2.1 ")

    def test_a_router_takes_one_from_the_ttl(self, name: str, tmp_path: Path) -> None:
        file = tmp_path / "routed.toml"
        file.write_text("\n".join(without_virtual_services(find("routed").read_text().splitlines())))
        lab("up", str(file), "--name", name)
        receive = (
            "import socket\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.setsockopt(0, 12, 1)\n"  # IP_RECVTTL
            "s.bind(('10.0.2.11', 9)); s.settimeout(60); print('ready', flush=True)\n"
            "data, [(_, _, ttl)], _, _ = s.recvmsg(9, 99); print(ttl[0])\n"
        )
        send = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.setsockopt(0, 2, 64); s.sendto(b'x', ('10.0.2.11', 9))\n"  # IP_TTL
        )
        with subprocess.Popen(
            [*COMMAND, "exec", "--lab", name, "rs1", "python3", "-c", receive], stdout=subprocess.PIPE, text=True
        ) as receiver:
            assert receiver.stdout
            assert receiver.stdout.readline() == "ready\n"
            inside(name, "client", "python3", "-c", send)
            assert receiver.stdout.readline() == "63\n"

    def test_what_a_file_asks_of_a_host_is_done_in_that_host(self, name: str, tmp_path: Path) -> None:
        file = tmp_path / "x.toml"
        file.write_text(
            'segments = ["lan"]\n[hosts.a]\nrole = "client"\ninterfaces.eth0 = { segment = "lan" }\n'
            "sysctl = { net.ipv4.tcp_syncookies = 2 }\n"
            "run = [\"sh -c 'ip address add 10.7.7.7/24 dev eth0'\"]\n"
        )
        lab("up", str(file), "--name", name)
        assert inside(name, "a", "cat", "/proc/sys/net/ipv4/tcp_syncookies") == "2\n"
        assert "10.7.7.7/24" in inside(name, "a", "ip", "address")

    def test_commands_of_the_first_host_find_the_servers_of_the_last(self, name: str, plain: Path) -> None:
        plain.write_text(PLAIN.replace('role = "client"', 'role = "client"\nrun = ["curl -sf http://10.0.0.11/"]'))
        assert lab("up", str(plain), "--name", name).returncode == 0

    def test_labs_of_different_names_live_side_by_side(self, name: str, plain: Path) -> None:
        other = f"{name}-b"
        try:
            assert lab("up", str(plain), "--name", name).returncode == 0
            assert lab("up", str(plain), "--name", other).returncode == 0
            assert inside(name, "client", "curl", "-s", "http://10.0.0.11/") == "rs\n"
            assert lab("down", name).returncode == 0
            assert remains(name) == []
            assert inside(other, "client", "curl", "-s", "http://10.0.0.11/") == "rs\n"
        finally:
            lab("down", other)
        assert remains(other) == []


def without_virtual_services(lines: list[str]) -> list[str]:
    kept, skipping = [], False
    for line in lines:
        skipping = skipping or line.startswith("ipvsadm = [")
        if not skipping:
            kept.append(line)
        skipping = skipping and line != "]"
    return kept


class TestRefusing:
    def test_a_second_lab_of_the_same_name_is_refused_and_the_first_unharmed(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        again = lab("up", str(plain), "--name", name)
        assert again.returncode == 1
        assert again.stderr.startswith(f"directrix lab: there is a lab '{name}' already; ")
        assert inside(name, "client", "curl", "-s", "http://10.0.0.11/") == "rs\n"

    def test_a_namespace_that_is_somebody_elses_is_left_alone(self, name: str, plain: Path) -> None:
        theirs = plumbing.namespace(name, "rs")
        subprocess.run(["ip", "netns", "add", theirs], check=True)
        try:
            done = lab("up", str(plain), "--name", name)
            assert done.returncode == 1
            assert "belongs to no lab" in done.stderr
            assert remains(name) == [theirs]
        finally:
            subprocess.run(["ip", "netns", "delete", theirs], check=True)

    @pytest.mark.parametrize(
        ("extra", "words"),
        [
            (
                "run = [\"sh -c 'echo alas >&2; exit 3'\"]",
                "on rs: `sh -c 'echo alas >&2; exit 3'` failed with status 3: alas",
            ),
            ('run = ["no-such-program"]', "on rs: `no-such-program` failed with status 127: No such file"),
            ("sysctl = { net.ipv4.nonsense = 1 }", "on rs: the parameter net.ipv4.nonsense can't be set to '1'"),
        ],
    )
    def test_if_a_step_fails_it_is_told_and_nothing_is_left(
        self, name: str, plain: Path, extra: str, words: str
    ) -> None:
        plain.write_text(f"{PLAIN}{extra}\n")
        done = lab("up", str(plain), "--name", name)
        assert done.returncode == 1
        assert done.stderr.startswith(f"directrix lab: lab '{name}' can't be built, and nothing of it is left: {words}")
        assert remains(name) == []

    def test_a_port_taken_by_another_server_of_the_host_is_told(self, name: str, plain: Path) -> None:
        plain.write_text(PLAIN.replace("nginx = [80]", "nginx = [80]\nrun = [\"nginx -g 'pid /dev/null;'\"]"))
        done = lab("up", str(plain), "--name", name)
        assert done.returncode == 1
        assert "on rs: " in done.stderr
        assert remains(name) == []

    def test_of_a_file_with_mistakes_nothing_is_built_and_each_line_begins_with_the_place(
        self, name: str, plain: Path
    ) -> None:
        plain.write_text(PLAIN.replace('"client"', '"cleint"').replace("[80]", "[0]"))
        done = lab("up", str(plain), "--name", name)
        assert done.returncode == 1
        assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{plain}:5:8", f"{plain}:13:10"]
        assert remains(name) == []

    def test_without_root_it_says_so(self, name: str) -> None:
        for words in (["up", "--name", name], ["down", name], ["status"], ["exec", "a", "true"], ["demo"]):
            # in a user namespace nobody is root; a user as such might not see a checkout below /root
            done = subprocess.run(["unshare", "--user", *COMMAND, *words], capture_output=True, text=True, timeout=60)
            assert done.returncode == 1
            assert "need root; try again with sudo" in done.stderr

    def test_taking_a_lab_down_from_inside_is_refused(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        done = lab("exec", "--lab", name, "client", "directrix", "lab", "down", name)
        assert done.returncode == 1
        assert done.stderr.startswith("directrix lab: you are inside client of lab")
        assert inside(name, "client", "curl", "-s", "http://10.0.0.11/") == "rs\n"

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["up", "nonesuch"], "there is no ready-made lab 'nonesuch'"),
            (["up", "routd"], "(did you mean 'routed'?)"),
            (["up", "./none.toml"], "can't read none.toml: No such file"),
            (["up", "--name", "A b"], "'A b' can't name a lab"),
            (["down", "nonesuch"], "there is no lab 'nonesuch'"),
            (["exec", "--lab", "nonesuch", "a", "true"], "there is no lab 'nonesuch'"),
        ],
    )
    def test_what_is_not_there_is_told(self, words: list[str], message: str) -> None:
        done = lab(*words)
        assert done.returncode == 1
        assert message in done.stderr


class TestExec:
    def test_the_exit_status_is_the_commands(self, name: str, plain: Path, tmp_path: Path) -> None:
        lab("up", str(plain), "--name", name)
        statuses = [
            lab("exec", "--lab", name, "client", *command).returncode
            for command in (
                ["true"],
                ["sh", "-c", "exit 7"],
                ["sh", "-c", "kill -9 $$"],
                ["no-such-program"],
                [str(tmp_path)],
                ["--", "sh", "-c", "exit 8"],
            )
        ]
        assert statuses == [0, 7, -9, 127, 126, 8]

    def test_an_unknown_host_is_told_with_those_there_are(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        done = lab("exec", "--lab", name, "cleint", "true")
        assert done.returncode == 1
        assert "has no host 'cleint' (did you mean 'client'?); it has: switch, client, director, rs" in done.stderr

    def test_input_and_output_are_the_commands(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        done = lab("exec", "--lab", name, "client", "sh", "-c", "cat; echo oh >&2", input="ding\n")
        assert (done.stdout, done.stderr) == ("ding\n", "oh\n")
        endless = f"{' '.join(COMMAND)} exec --lab {name} client yes | head -1"
        assert subprocess.run(endless, shell=True, capture_output=True, text=True, timeout=60).stdout == "y\n"

    def test_only_the_network_changes(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        kinds = ("net", "mnt", "pid", "uts", "ipc")
        there = inside(name, "client", "readlink", *(f"/proc/self/ns/{kind}" for kind in kinds)).split()
        here = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
        assert there[0] != here[0]
        assert there[1:] == here[1:]

    def test_without_a_command_a_shell_comes_on_the_terminal(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["SHELL"] = "/bin/sh"
            os.execv(COMMAND[0], [*COMMAND, "exec", "--lab", name, "client"])
        os.write(terminal, b"test -t 0 && test -t 1 && ip -br address show dev eth0 && exit 5\n")
        said = b""
        try:
            while part := os.read(terminal, 4096):
                said += part
        except OSError:
            pass  # Linux says EIO when the other side is gone.
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 5
        assert b"10.0.0.50/24" in said


class TestTakingDown:
    def test_processes_started_in_it_are_ended_the_stubborn_too(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        stubborn = "trap '' TERM HUP; while :; do sleep 0.1; done"
        with subprocess.Popen([*COMMAND, "exec", "--lab", name, "client", "sh", "-c", stubborn]) as process:
            identity = namespaces.identity(plumbing.namespace(name, "client"))
            assert identity
            until("it is inside", lambda: process.pid in namespaces.processes(identity))
            assert lab("down", name).returncode == 0
            assert process.wait() == -signal.SIGKILL
        assert remains(name) == []

    def test_a_lab_whose_namespaces_somebody_deleted_goes_too(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        subprocess.run(["ip", "netns", "delete", plumbing.namespace(name, "client")], check=True)
        [mine] = [each for each in json.loads(lab("status", "--json").stdout) if each["name"] == name]
        assert mine["state"] == "incomplete"
        assert lab("exec", "--lab", name, "client", "true").returncode == 1
        assert lab("down", name).returncode == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_interrupted_while_building_nothing_is_left(self, name: str, plain: Path, number: signal.Signals) -> None:
        plain.write_text(f'{PLAIN}run = ["sleep 60"]\n')
        with subprocess.Popen([*COMMAND, "up", str(plain), "--name", name]) as builder:
            until("it sleeps", lambda: sleeping(name))
            builder.send_signal(number)
            assert builder.wait() == 128 + number
        assert remains(name) == []

    @pytest.mark.parametrize("milliseconds", range(60, 300, 20))
    def test_killed_while_building_it_can_be_taken_down(self, name: str, plain: Path, milliseconds: int) -> None:
        plain.write_text(f'{PLAIN}run = ["sleep 60"]\n')
        before = homeless()
        with subprocess.Popen([*COMMAND, "up", str(plain), "--name", name]) as builder:
            time.sleep(milliseconds / 1000)
            builder.kill()
        # killed before it wrote down what it would make, it had made nothing, and another may
        if remains(name):
            if state.read(name) is not None:
                assert lab("up", str(plain), "--name", name).returncode == 1
            assert lab("down", name).returncode == 0
        assert remains(name) == []
        assert homeless() <= before

    def test_killed_at_its_last_step_it_can_be_taken_down(self, name: str, plain: Path) -> None:
        plain.write_text(f'{PLAIN}run = ["sleep 60"]\n')
        with subprocess.Popen([*COMMAND, "up", str(plain), "--name", name]) as builder:
            until("it sleeps", lambda: sleeping(name))
            builder.kill()
        assert sleeping(name)
        again = lab("up", str(plain), "--name", name)
        assert again.returncode == 1
        assert f"there are remains of a lab '{name}'; clear them with `directrix lab down {name}`" in again.stderr
        assert lab("down", name).returncode == 0


def sleeping(name: str) -> bool:
    identity = namespaces.identity(plumbing.namespace(name, "rs"))
    for pid in namespaces.processes(identity) if identity else []:
        try:
            if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                return True
        except OSError:
            continue
    return False


class TestStatus:
    def test_it_shows_hosts_addresses_and_processes(self, name: str, plain: Path) -> None:
        lab("up", str(plain), "--name", name)
        [mine] = [each for each in json.loads(lab("status", "--json").stdout) if each["name"] == name]
        assert (mine["state"], mine["source"]) == ("up", str(plain))
        assert mine["title"] == read_lab(plain).title
        assert mine["vips"] == ["10.0.0.100", "fd00::100"]
        hosts = {host["name"]: host for host in mine["hosts"]}
        assert list(hosts) == ["switch", "client", "director", "rs"]
        assert hosts["client"]["addresses"] == ["10.0.0.50/24", "fd00::50/64"]
        assert hosts["director"]["processes"] == []
        assert len(hosts["rs"]["processes"]) == 2
        assert f"{name}: up; three hosts on a wire" in lab("status").stdout
