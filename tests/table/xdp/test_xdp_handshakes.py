"""Handshakes as the data plane counts and times them."""

from __future__ import annotations

import pytest
from data_plane import DIAMETER, HTTP, DataPlane, real
from frames import ACK, RST, SYN, TCP, association, packet

from directrix.lvs.handshakes import SPACING, TIMED, UNIT, Handshakes, bounds, octave
from directrix.lvs.sctp import SctpChunk

pytestmark = pytest.mark.root

PORT = 1024


def send(plane: DataPlane, flags: int, port: int = PORT) -> None:
    plane.xdp(packet(TCP, HTTP.address, 80, port, flags))  # type: ignore[arg-type]


def seen(plane: DataPlane, number: int = 1) -> Handshakes:
    """The handshakes of a real server of HTTP's."""
    return plane.table.handshakes()[HTTP][real(number), HTTP.port]


def counts(plane: DataPlane) -> tuple[int, int, int]:
    """Begun, completed, failed."""
    found = seen(plane)
    return found.begun, found.completed, found.failed


def since(plane: DataPlane, seconds: float) -> None:
    """As if this time had passed since the SYN."""
    slot = plane.slot(PORT)
    plane.set_field(slot, children=(plane.field(slot, "children") - int(seconds / UNIT)) & 0xFFFFFFFF)


def test_a_client_that_answers_completes_the_handshake(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    assert counts(plane) == (1, 0, 0)
    send(plane, ACK)
    send(plane, ACK)
    assert counts(plane) == (1, 1, 0)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 1.2, 50.0])
def test_the_time_from_syn_to_ack_is_kept_by_octave(plane: DataPlane, seconds: float) -> None:
    least, most = bounds(octave(seconds))
    plane.serve(HTTP, 1)
    send(plane, SYN)
    since(plane, (least * most) ** 0.5)  # a test that is slow by less than two fifths is still right
    send(plane, ACK)
    (number,) = [number for number, count in enumerate(seen(plane).times) if count]
    assert number == octave(seconds)


def test_a_retransmitted_syn_does_not_start_the_time_again(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    since(plane, 1.0)
    send(plane, SYN)
    send(plane, ACK)
    assert counts(plane) == (1, 1, 0)
    assert (seen(plane).quantile(0.5) or 0) > 0.5


def test_a_half_open_connection_that_expires_has_failed(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    plane.age(61)
    plane.wait_for(lambda: counts(plane) == (1, 0, 1))


def test_a_reset_leaves_it_half_open_until_it_expires(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    send(plane, RST)
    assert counts(plane) == (1, 0, 0)
    plane.age(61)
    plane.wait_for(lambda: counts(plane) == (1, 0, 1))


def test_the_end_of_an_established_connection_is_no_failure(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    send(plane, ACK)
    send(plane, RST)
    plane.age(11)
    plane.wait_for(lambda: not list(plane.table.connections()))
    assert counts(plane) == (1, 1, 0)


def test_the_template_of_a_persistent_client_is_no_connection(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, persistence=100)
    send(plane, SYN)
    send(plane, ACK)
    assert counts(plane) == (1, 1, 0)
    plane.age(1000)
    plane.wait_for(lambda: len(list(plane.table.connections())) == 1)  # the template, put off once more
    assert counts(plane) == (1, 1, 0)


def test_an_association_has_a_handshake_too(plane: DataPlane) -> None:
    plane.serve(DIAMETER, 1)
    for chunk in (SctpChunk.INIT, SctpChunk.COOKIE_ECHO, SctpChunk.SACK):
        plane.tc(association(DIAMETER.address, DIAMETER.port, chunk))  # type: ignore[arg-type]
    (found,) = plane.table.handshakes()[DIAMETER].values()
    assert (found.begun, found.completed, found.failed) == (1, 1, 0)


def test_all_are_timed_while_there_are_few_and_one_in_so_many_of_the_others(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    many = TIMED + 10 * SPACING
    for port in range(PORT, PORT + many):
        send(plane, SYN, port)
        send(plane, ACK, port)
    assert seen(plane).completed == many
    assert sum(seen(plane).times) == TIMED + 10
    plane.estimate()
    send(plane, SYN, PORT + many)
    send(plane, ACK, PORT + many)
    assert sum(seen(plane).times) == TIMED + 11


def test_the_recent_share_follows_and_fades(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    for port in range(PORT, PORT + 40):
        send(plane, SYN, port)
        if port % 2:
            send(plane, ACK, port)
    plane.estimate()
    assert (seen(plane).recent_begun, seen(plane).recent_completed) == (5.0, 2.5)
    assert seen(plane).sample == 40
    for _ in range(40):
        plane.estimate()
    assert seen(plane).sample < 1


def test_a_removed_server_that_returns_has_its_handshakes(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    server = plane.state(HTTP, 1).server
    plane.table.delete_server(HTTP, server.address, server.port)
    plane.add(HTTP, 1)
    send(plane, ACK)
    assert counts(plane) == (1, 1, 0)


def test_another_server_under_the_same_number_starts_without_any(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    send(plane, SYN)
    send(plane, ACK)
    (number,) = plane.numbers()
    plane.table._counting.server_starts(number)
    assert seen(plane) == Handshakes()
