"""What keys do."""

from __future__ import annotations

import pytest
from tables import DNS, HTTP, sample

from directrix.lvs import parse_address
from directrix.top.keys import keys_of
from directrix.top.model import Action, Asking, Do, Model, Sort, press, shown

SAMPLE = sample()
GOOD = (HTTP, (parse_address("10.0.0.11"), 80))
OUT = (HTTP, (parse_address("10.0.0.13"), 80))


def after(keys: list[str], model: Model | None = None) -> tuple[Model, list[Action]]:
    model, actions = model or Model(), []
    for key in keys:
        model, action = press(model, key, SAMPLE)
        actions += [action] if action else []
    return model, actions


def test_the_selection_moves_and_stops_at_the_ends() -> None:
    keys = [key for key, _ in shown(Model(), SAMPLE).rows]
    assert after(["down", "down", "up"])[0].selected == keys[1]
    assert after(["up"])[0].selected == keys[0]
    assert after(["end", "down"])[0].selected == keys[-1]
    assert after(["pagedown", "home"])[0].selected == keys[0]


def test_enter_closes_and_opens_the_service_of_the_row() -> None:
    closed, _ = after(["enter"], Model(selected=GOOD))
    assert (closed.collapsed, closed.selected) == ({HTTP}, (HTTP, None))
    assert after(["enter"], closed)[0].collapsed == set()
    assert after(["-"])[0].collapsed == {HTTP, DNS}
    assert after(["-", "+"])[0].collapsed == set()


@pytest.mark.parametrize("key", list("tacpbd"))
def test_a_letter_sorts(key: str) -> None:
    order = dict(zip("tacpbd", Sort, strict=True))
    assert after([key])[0].sort is order[key]


def test_a_filter_is_typed_and_mended_and_taken_back() -> None:
    assert after(["/", *"10.0x", "backspace", "enter"])[0].filter == "10.0"
    assert after(["/", *"zq", "escape"])[0] == Model(typed="zq")
    assert after(["escape"], Model(filter="10"))[0].filter == ""


def test_quiescing_asks_first() -> None:
    asked, actions = after(["z"], Model(selected=GOOD))
    assert (asked.asking, actions) == (Asking.QUIESCE, [])
    assert after(["y"], asked)[1] == [Action(Do.QUIESCE, GOOD)]
    for key in ("n", "enter", "escape", "q"):
        told, actions = after([key], asked)
        assert (told.asking, told.message, actions) == (Asking.NOTHING, "nothing changed", [])


def test_bringing_back_asks_first() -> None:
    asked, _ = after(["w"], Model(selected=OUT))
    assert after(["y"], asked)[1] == [Action(Do.BRING_BACK, OUT)]


@pytest.mark.parametrize(
    ("key", "row", "said"),
    [("z", OUT, "weight 0 already"), ("w", GOOD, "in service"), ("z", (HTTP, None), "choose a real server")],
)
def test_what_makes_no_sense_is_said_and_not_asked(key: str, row: object, said: str) -> None:
    model, actions = after([key], Model(selected=row))  # type: ignore[arg-type]
    assert said in model.message
    assert (model.asking, actions) == (Asking.NOTHING, [])


def test_any_key_leaves_the_help_and_q_all() -> None:
    assert after(["h", "x"])[0].help is False
    assert after(["h", "q"])[1] == after(["ctrl-c"])[1] == [Action(Do.QUIT)]


def test_with_no_rows_no_key_fails() -> None:
    model = Model(filter="nobody")
    for key in ("up", "enter", "z", "w", "-", "end"):
        model, action = press(model, key, SAMPLE)
        assert action is None


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1bOBj", ["up", "down", "j"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[5~\x1b[1;5C\r\x7f", ["pageup", "enter", "backspace"]),
        ("é".encode() + b"\xff\x03", ["é", "ctrl-c"]),
        (b"\x1b[", []),
        (b"\x1b\x1b[A", ["escape", "up"]),
    ],
)
def test_bytes_become_keys(data: bytes, keys: list[str]) -> None:
    assert keys_of(data) == keys
