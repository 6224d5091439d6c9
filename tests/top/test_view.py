"""What the view shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tables import DNS, HTTP, busy, history, sample

from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService, parse_address
from directrix.lvs.flood import FloodCounts
from directrix.table.memory import MemoryTable
from directrix.top.model import Asking, Model, Sort
from directrix.top.routers import RouterRow, read
from directrix.top.sample import Checked, Sample, take
from directrix.top.view import Style, frame

SAMPLE = sample()


def text(model: Model, columns: int = 80, height: int | None = None, shown: Sample = SAMPLE) -> list[str]:
    return [line.text for line in frame(model, shown, history(shown), columns, height, unicode=False)]


def test_a_frame_of_eighty_columns() -> None:
    assert text(Model()) == [
        "directrix top  12:00:00  2 services, 4 real servers",
        "active 200  inactive 0  conn/s 25  pkt/s 37  bytes/s 2150  done 50%            #",
        "SERVER            STATE   WGT ACTIV INACT CON/S PKT/S BYT/S DONE  TIME     PKT/S",
        "- TCP 10.0.0.1:80    rr         200     0    25    37  2150  50% 741us         #",
        "  10.0.0.13:80      out     0     0     0     0     0     0    -     -",
        "  10.0.0.12:80     POOR     1   100     0    12    12   750   0%     -         #",
        "  10.0.0.11:80       ok     1   100     0    12    25  1400 100% 741us         #",
        "- UDP 10.0.0.1:53   wlc           0     0     0     0     0    -     -",
        "  10.0.0.19:53       ok     5     0     0     0     0     0    -     -",
    ]


def test_a_flood_stands_in_the_title_and_at_the_services_it_is_about() -> None:
    web, dns = SAMPLE.services
    flooded = replace(web, flood=FloodCounts(90_000, 20, 0, 45_000, 10))
    shown = replace(SAMPLE, services=(flooded, dns), flood=True)
    assert text(Model(), shown=shown)[0].endswith("4 real servers  UNDER FLOOD: 44990/s")
    lines = frame(Model(), shown, history(shown), 80)
    assert [(line.style, line.text.split()[3]) for line in lines if " 10.0.0.1:" in line.text] == [
        (Style.BAD, "FLOOD"),
        (Style.SERVICE, "wlc"),
    ]


def test_what_a_director_s_checks_found_has_a_column_and_servers_they_took_out_have_a_row() -> None:
    name = str(HTTP)
    checked = {
        (name, "10.0.0.11:80"): Checked(True, recent=(None, True, True, True, True, True, True, True)),
        (name, "10.0.0.12:80"): Checked(True, "drain", recent=(True,)),
        (name, "10.0.0.13:80"): Checked(False, "", "passive_health: poor", (False,)),
        (name, "10.0.0.14:80"): Checked(False, "", "TCP_CHECK: refused", (True, False, False)),
    }
    shown = take(busy(), {}, 1.0, "12:00:00", checked=checked)
    assert text(Model(), shown=shown)[2:8] == [
        "SERVER            STATE   CHECK   WGT ACTIV INACT CON/S PKT/S BYT/S DONE  TIME",
        "- TCP 10.0.0.1:80    rr                 200     0    25    37  2150  50% 741us #",
        "  10.0.0.13:80      out       -     0     0     0     0     0     0    -     -",
        "  10.0.0.12:80    drain       +     1   100     0    12    12   750   0%     - #",
        "  10.0.0.11:80       ok +++++++     1   100     0    12    25  1400 100% 741us #",
        "  10.0.0.14:80     DOWN     +--     0     0     0     0     0     0    -     -",
    ]


def test_a_weight_on_its_way_up_is_told_whoever_has_it_grow() -> None:
    for checked in (Checked(True, growing=True), Checked(True, "admit")):
        shown = take(busy(), {}, 1.0, "12:00:00", checked={(str(HTTP), "10.0.0.11:80"): checked})
        assert [line.split()[1] for line in text(Model(), shown=shown) if "10.0.0.11:80" in line] == ["grow"]


@pytest.mark.parametrize("columns", [20, 40, 79, 80, 81, 132, 300])
@pytest.mark.parametrize("height", [1, 3, 6, 24])
@pytest.mark.parametrize("model", [Model(), Model(help=True), Model(filter="nobody"), Model(message="x" * 400)])
def test_no_line_is_too_long_and_none_too_many(columns: int, height: int, model: Model) -> None:
    lines = text(model, columns, height)
    assert max(map(len, lines)) <= columns
    assert len(lines) == max(height, 1)


def test_of_a_service_with_a_long_name_its_protocol_and_its_end_are_shown() -> None:
    table = MemoryTable()
    for protocol in (Protocol.TCP, Protocol.UDP):
        table.add_service(VirtualService(ServiceKey.of(protocol, parse_address("192.168.100.100"), 8080), "rr"))
    lines = text(Model(), shown=sample(table))
    assert [line.split()[1] for line in lines[3:]] == ["T~.168.100.100:8080", "U~.168.100.100:8080"]


def test_the_selected_row_is_always_in_sight() -> None:
    table = MemoryTable()
    key = ServiceKey.of(Protocol.TCP, parse_address("10.0.0.1"), 80)
    table.add_service(VirtualService(key, "rr"))
    for number in range(100):
        table.add_server(key, RealServer(parse_address(f"10.1.0.{number + 1}"), 80))
    many = sample(table)
    for number in (1, 50, 100):
        model = Model(selected=(key, (parse_address(f"10.1.0.{number}"), 80)))
        lines = frame(model, many, history(many), 80, 12)
        (selected,) = [line.text for line in lines if line.style is Style.SELECTED]
        assert f"10.1.0.{number}:80" in selected
    assert "93 more below" in frame(Model(), many, history(many), 132, 12)[-1].text


def test_a_closed_service_shows_only_itself() -> None:
    lines = text(Model(collapsed=frozenset({HTTP})))
    assert [line[:19].rstrip() for line in lines[3:]] == ["+ TCP 10.0.0.1:80", "- UDP 10.0.0.1:53", "  10.0.0.19:53"]


def test_a_filter_keeps_a_server_with_its_service() -> None:
    lines = text(Model(filter="0.12"))
    assert next(line.split()[0:2] for line in lines[3:]) == ["-", "TCP"]
    assert len(lines) == 5


def test_rows_are_sorted_within_their_service_and_the_head_says_by_what() -> None:
    lines = text(Model(sort=Sort.PACKETS))
    assert ">PKT/S" in lines[2]
    assert [line.split()[0] for line in lines[4:7]] == ["10.0.0.11:80", "10.0.0.12:80", "10.0.0.13:80"]


def test_over_a_table_that_watches_no_handshakes_the_rest_is_shown() -> None:
    table = busy()
    table.handshakes = lambda: None  # type: ignore[method-assign, assignment]
    lines = text(Model(), shown=sample(table))
    assert "10.0.0.12:80       ok     1   100" in lines[5]
    assert "%" not in "".join(lines)


def test_an_empty_table_says_so() -> None:
    assert text(Model(), shown=Sample())[-1] == "  no virtual services"


def test_the_states_of_virtual_routers_have_a_line_of_their_own_and_those_that_are_wrong_come_first() -> None:
    routers = (RouterRow("VI_1", "BACKUP", 100, "10.0.0.2"), RouterRow("VI_2", "MASTER", 150))
    lines = frame(Model(), replace(SAMPLE, routers=routers), history(SAMPLE), 80)
    assert (lines[2].text, lines[2].style) == ("VRRP  VI_1 BACKUP (100) of 10.0.0.2  VI_2 MASTER (150)", Style.PLAIN)
    assert lines[3].text.startswith("SERVER")
    routers = (*routers, RouterRow("VI_3", "FAULT", 90), RouterRow("VI_4", "MASTER", 100, "10.0.0.3"))
    third = frame(Model(), replace(SAMPLE, routers=routers), history(SAMPLE), 132)[2]
    assert third.text.startswith("VRRP  VI_3 FAULT (90)  VI_4 MASTER (100), AND SO IS 10.0.0.3  VI_1 BACKUP")
    assert third.style is Style.BAD
    assert len(frame(Model(), replace(SAMPLE, routers=routers), history(SAMPLE), 80, 6)) == 6


def test_what_a_director_tells_of_vrrp_is_read() -> None:
    told = {"instances": [{"name": "VI", "state": "MASTER", "priority": 150, "master": None, "vrid": 51}]}
    assert read(told) == (RouterRow("VI", "MASTER", 150),)


def test_the_question_names_the_server() -> None:
    model = Model(selected=(HTTP, (parse_address("10.0.0.11"), 80)), asking=Asking.QUIESCE)
    assert text(model, height=24)[-1] == "quiesce 10.0.0.11:80: no new connections, weight 0? (y/n)"


def test_a_selection_that_is_gone_falls_back_to_its_service() -> None:
    model = Model(selected=(DNS, (parse_address("10.0.0.99"), 53)))
    lines = frame(model, SAMPLE, history(SAMPLE), 80, 24)
    (selected,) = [line.text for line in lines if line.style is Style.SELECTED]
    assert selected.startswith("- UDP")


def test_of_a_row_without_packets_no_past_is_kept() -> None:
    idle = sample(MemoryTable())
    quiet = (HTTP, (parse_address("10.0.0.13"), 80))
    past = history(SAMPLE, SAMPLE)
    assert (past.of((HTTP, None)), past.of(quiet)) == ([37, 37], [])
    past.add(idle)
    assert past.of((HTTP, None)) == []


def test_sparklines_show_the_moments_before() -> None:
    quiet = replace(SAMPLE, services=(), totals=(SAMPLE.totals[0], replace(SAMPLE.totals[1], in_packets=0)))
    lines = frame(Model(), SAMPLE, history(SAMPLE, quiet, SAMPLE), 80, unicode=True)
    assert lines[1].text.endswith("█ █")
