"""The program that takes packets out of tunnels: what it takes out, and what it leaves as it is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tunnel_frames import CLIENT, DIRECTOR, HERE, KINDS, VIPS, frame, inner, ip, wrapped

from directrix.realserver import decapsulating
from directrix.realserver.encapsulation import read_encapsulation
from directrix.system.host_error import HostError
from directrix.table.xdp import libbpf

OBJECT = Path(decapsulating.__file__).with_name("decapsulate.bpf.o")
OK, SHOT, UNSPEC = 0, 2, 0xFFFFFFFF
ALL = ("ipip", "gre", "gue:6080")
CONGESTED = 3

Run = Callable[[bytes], tuple[int, bytes]]


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Loads the program for a VIP and kinds of tunnels."""
    objects = []

    def load(version: int, tunnels: tuple[str, ...] = ALL) -> Run:
        path = tmp_path / f"{len(objects)}.o"
        kinds = [read_encapsulation(word) for word in tunnels]
        path.write_bytes(decapsulating.program(VIPS[version], kinds, OBJECT.read_bytes()))
        opened = libbpf.Object.open(path)
        objects.append(opened)
        opened.load()
        fd = opened.program("decapsulate")

        def run(sent: bytes) -> tuple[int, bytes]:
            done = libbpf.run(fd, sent)
            return done.value, done.packet

        return run

    yield load
    for opened in objects:
        opened.close()


@pytest.mark.root
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_packets_for_the_vip_are_taken_out(loaded: Callable[..., Run], kind: str, outer: int, version: int) -> None:
    run = loaded(version)
    for data in (b"", b"!", bytes(1000)):
        packet = inner(version, data=data)
        assert run(wrapped(kind, outer, packet)) == (OK, frame(packet))


@pytest.mark.root
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_packets_for_others_are_left_as_they_are(loaded: Callable[..., Run], kind: str, version: int) -> None:
    run = loaded(version)
    others = (HERE[version], VIPS[version] + 1, CLIENT[version])
    left = [wrapped(kind, outer, inner(version, target=other)) for outer in (4, 6) for other in others]
    left += [wrapped(kind, outer, inner(10 - version)) for outer in (4, 6)]
    left += [frame(inner(version)), frame(inner(version, target=HERE[version]))]
    for sent in left:
        assert run(sent) == (UNSPEC, sent)


@pytest.mark.root
@pytest.mark.parametrize("tunnel", ALL)
def test_only_kinds_that_were_told_are_taken_out(loaded: Callable[..., Run], tunnel: str) -> None:
    run = loaded(4, (tunnel,))
    for kind in KINDS:
        result, _ = run(wrapped(kind, 4, inner(4)))
        assert result == (OK if kind.split()[0] == tunnel.split(":")[0] else UNSPEC)


def changed(data: bytes, at: int, value: bytes) -> bytes:
    """Bytes with some of them replaced."""
    return data[:at] + value + data[at + len(value) :]


ODD = {
    "a wrong checksum": changed(wrapped("ipip", 4, inner(4)), 24, b"\0\0"),
    "a first fragment": frame(ip(4, DIRECTOR[4], HERE[4], inner(4), fragment=0x2000)),
    "a later fragment": frame(ip(4, DIRECTOR[4], HERE[4], inner(4), fragment=5)),
    "another host's MAC": changed(wrapped("ipip", 4, inner(4)), 0, b"\x02\0\0\0\0\x77"),
    "another port": changed(wrapped("gue", 4, inner(4)), 36, b"\x17\x70"),
    "a GUE control message": changed(wrapped("gue", 4, inner(4)), 42, b"\x20"),
    "GUE with flags": changed(wrapped("gue", 4, inner(4)), 44, b"\x80"),
    "GRE with a key": changed(wrapped("gre", 4, inner(4)), 34, b"\x20"),
    "GRE with something else inside": changed(wrapped("gre", 4, inner(4)), 36, b"\x88\x47"),
    "another version inside": changed(wrapped("ipip", 4, inner(4)), 34, b"\x65"),
    "nothing inside": frame(ip(4, DIRECTOR[4], HERE[4], b"")),
    "half a header inside": frame(ip(4, DIRECTOR[4], HERE[4], inner(4)[:18])),
    "ARP": bytes(6) + b"\x02\0\0\0\0\x01\x08\x06" + bytes(28),
}


@pytest.mark.root
@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_the_hosts_to_judge(loaded: Callable[..., Run], odd: str) -> None:
    assert loaded(4)(ODD[odd]) == (UNSPEC, ODD[odd])


@pytest.mark.root
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_congestion_in_the_tunnel_is_told_inside(loaded: Callable[..., Run], outer: int, version: int) -> None:
    run = loaded(version)
    for own in (1, 2, 3):
        result, after = run(wrapped("ipip", outer, inner(version, 0xB8 | own), 0xB8 | CONGESTED))
        assert (result, after) == (OK, frame(inner(version, 0xB8 | CONGESTED)))
    assert run(wrapped("ipip", outer, inner(version, 0xB8), CONGESTED))[0] == SHOT
    assert run(wrapped("ipip", outer, inner(version, 0xB9), 2)) == (OK, frame(inner(version, 0xB9)))


def test_the_object_has_one_place_for_a_vip() -> None:
    compiled = OBJECT.read_bytes()
    made = decapsulating.program(VIPS[6], [read_encapsulation("gue:6080")], compiled)
    assert len(made) == len(compiled)
    assert made.count(VIPS[6].packed + struct.pack(">HBB", 6080, 6, 2)) == 1
    with pytest.raises(ValueError, match="no place"):
        decapsulating.program(VIPS[4], [], made)


def test_two_ports_are_more_than_the_program_knows() -> None:
    tunnels = [read_encapsulation(word) for word in ("gue:1", "gue:2")]
    with pytest.raises(HostError, match="knows one port, not 1 and 2"):
        decapsulating.program(VIPS[4], tunnels, OBJECT.read_bytes())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vxlan", "no kind"),
        ("ipip:4", "only gue"),
        ("gue", "UDP port"),
        ("gue:0", "UDP port"),
        ("gue:65536", "UDP port"),
    ],
)
def test_what_is_no_kind_of_tunnel_is_told(text: str, said: str) -> None:
    with pytest.raises(HostError, match=said):
        read_encapsulation(text)
