"""Real servers come, change and go while the others work."""

from __future__ import annotations

import threading
import time

import pytest
from hosts import VIP, Cluster, Host, one_armed, service
from traffic import Echo, Load, ask, connect, serve
from wire import watching

pytestmark = pytest.mark.root


@pytest.fixture
def three(cluster: Cluster) -> Cluster:
    """Client, director, rs1 to rs3; the service is served by rs1 and rs2."""
    one_armed(cluster, servers=3)
    serve(cluster)
    cluster["director"].up()
    cluster["director"].restore(service("wrr", servers=(1, 2)))
    return cluster


class Pull:
    """A large answer that is read steadily until stopped; stop() tells what became of it."""

    def __init__(self, client: Host) -> None:
        self._socket = connect(client)
        self._mishap = ""
        self._over = False
        self.bytes = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._socket:
            try:
                self._socket.sendall(f"get {1 << 40}\n".encode())
                while not self._over:
                    part = self._socket.recv(1 << 16)
                    self.bytes += len(part)
                    if not part:
                        self._mishap = "ended"
                        return
                    time.sleep(0.002)
            except OSError as error:
                self._mishap = repr(error)

    def stop(self) -> str:
        self._over = True
        self._thread.join()
        return self._mishap


@pytest.mark.parametrize("laps", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_server_added_edited_and_removed_breaks_no_connection(three: Cluster, laps: int) -> None:
    """rs3 comes and goes, a command each. Connections to rs1 and rs2 must not notice.

    Those that rs3 had when it was removed wait, and go on when it is back: so nothing at all fails.
    """
    director, client = three["director"], three["client"]
    pulls = [Pull(client), Pull(client)]  # before rs3 comes: at rs1 and rs2
    steady = [Echo(client), Echo(client)]
    load = Load(client, echoes=0, shorts=2).start()
    server = f"-t {VIP}:80 -r 10.0.0.13:80"
    for _ in range(laps):
        for words in (f"-a {server} -g -w 1", f"-e {server} -g -w 3", f"-d {server}"):
            director.ipvsadm(words)
            assert all(echo.say(patience=1) for echo in steady)
    director.ipvsadm(f"-a {server} -g -w 1")
    load.stop()
    assert [pull.stop() for pull in pulls] == ["", ""]
    assert load.mishaps == []
    assert set(load.answers) == {"rs1", "rs2", "rs3"}
    print(f"\n{3 * laps} changes, short connections {load.answers}, longest wait {load.longest:.2f} s, ", end="")
    print(f"{sum(pull.bytes for pull in pulls) >> 20} MiB pulled")
    for echo in steady:
        echo.close()


@pytest.mark.slow
def test_weight_edits_of_hundreds_fail_nothing(three: Cluster) -> None:
    """Nobody is removed, so nobody may notice: not one failed or reset connection."""
    director = three["director"]
    director.ipvsadm(f"-a -t {VIP}:80 -r 10.0.0.13:80 -g -w 1")
    load = Load(three["client"], echoes=3, shorts=2).start()
    rules = []
    for weight in (3, 1, 0, 5, 1):
        rules += [f"-e -t {VIP}:80 -r 10.0.0.{n}:80 -g -w {weight if n == 13 else weight or 1}" for n in (11, 12, 13)]
        rules.append(f"-E -t {VIP}:80 -s {'rr' if weight > 1 else 'wrr'}")
    for _ in range(20):
        director.restore(";".join(rules))
    load.stop()
    assert load.mishaps == []
    assert set(load.answers) == {"rs1", "rs2", "rs3"}
    print(f"\n{len(rules) * 20} edits, {sum(load.answers.values())} short connections, {load.echoed} echoes, ", end="")
    print(f"longest wait {load.longest * 1000:.0f} ms")


def test_a_server_at_weight_zero_gets_nothing_new_and_keeps_what_it_has(three: Cluster) -> None:
    director, client = three["director"], three["client"]
    echoes = {echo.name: echo for echo in (Echo(client), Echo(client))}
    assert set(echoes) == {"rs1", "rs2"}
    director.ipvsadm(f"-e -t {VIP}:80 -r 10.0.0.11:80 -g -w 0")
    assert {ask(client) for _ in range(8)} == {"rs2"}
    for echo in echoes.values():
        assert echo.say()
        echo.close()


def test_a_removed_servers_connection_is_silent_and_goes_on_when_it_returns(three: Cluster) -> None:
    director, client = three["director"], three["client"]
    echoes = {echo.name: echo for echo in (Echo(client), Echo(client))}
    director.ipvsadm(f"-d -t {VIP}:80 -r 10.0.0.11:80")
    with watching((client, "eth0")) as (seen,):
        echoes["rs1"].socket.settimeout(0.6)
        echoes["rs1"].socket.sendall(b"lost?\n")
        with pytest.raises(TimeoutError):
            echoes["rs1"].socket.recv(10)
        assert echoes["rs2"].say()
        assert {ask(client) for _ in range(4)} == {"rs2"}
        port = echoes["rs1"].socket.getsockname()[1]
        assert [f for f in seen.frames() if f.protocol == 6 and not f.sent and f.ports[1] == port] == []
    assert director.verdicts()["server_gone"] >= 1
    director.ipvsadm(f"-a -t {VIP}:80 -r 10.0.0.11:80 -g -w 1")
    echoes["rs1"].socket.settimeout(30)
    assert echoes["rs1"].socket.recv(10) == b"lost?\n"
    for echo in echoes.values():
        echo.close()


def test_a_deleted_service_takes_no_packet_and_leaves_other_services_alone(three: Cluster) -> None:
    director, client = three["director"], three["client"]
    serve(three, port=81)
    director.restore(f"-A -t {VIP}:81 -s rr; -a -t {VIP}:81 -r 10.0.0.12:81 -g")
    load = Load(client, port=81).start()
    for _ in range(10):
        director.restore(f"-D -t {VIP}:80; -A -t {VIP}:80 -s wrr; -a -t {VIP}:80 -r 10.0.0.11:80 -g")
    director.ipvsadm(f"-D -t {VIP}:80")
    with pytest.raises(ConnectionRefusedError):
        ask(client)
    load.stop()
    assert load.mishaps == []
    assert ask(client, port=81) == "rs2"
