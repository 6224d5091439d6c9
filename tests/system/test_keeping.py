"""Facts are made and put back, whoever holds them and whatever dies in between."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from directrix.system import namespaces
from directrix.system.facts import keeping
from directrix.system.facts.fact import Command, Fact, calling
from directrix.system.facts.files import SymbolicLink, TextFile
from directrix.system.facts.keeping import Holding
from directrix.system.facts.ledger import Book, Entry, Ledger, from_text, kept_file, to_text
from directrix.system.facts.rules import Chain, NftTable, XtablesRule
from directrix.system.host_error import HostError


def world(place: Path) -> dict[str, str]:
    """All files below a directory, and links, and empty directories."""
    return {
        str(path.relative_to(place)): os.readlink(path)
        if path.is_symlink()
        else path.read_text()
        if path.is_file()
        else "/"
        for path in sorted(place.rglob("*"))
    }


def files(place: Path, **contents: str) -> list[Fact]:
    return [TextFile(str(place / name), content) for name, content in contents.items()]


def wanting(holder: str, facts: Sequence[Fact]) -> Holding:
    return Holding(holder, facts, {"how": "somehow"})


class Trap(TextFile):
    """A file whose making does something else instead."""

    def springing(self, what: Callable[[], object]) -> Fact:
        """This trap, set."""
        trap = self

        class Set(Trap):
            def make(self, now: str | None) -> list[Command]:
                return [calling("spring", what)]

        return Set(trap.path, trap.content)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A host that consists of files; two are there."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "a").write_text("old a")
    (tmp_path / "host" / "b").write_text("old b")
    return tmp_path / "host"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "run" / "1.json")


def test_what_was_changed_made_or_as_wanted_already_is_afterwards_as_it_was_before(place: Path, book: Book) -> None:
    before = world(place)
    facts = [*files(place, a="new", b="old b", c="new"), SymbolicLink(str(place / "x" / "y" / "link"), "../to")]
    keeping.start(book, [wanting("one", facts)])
    assert world(place) == {"a": "new", "b": "old b", "c": "new", "x": "/", "x/y": "/", "x/y/link": "../to"}
    keeping.stop(book, ["one"])
    assert world(place) == before
    assert not book.path.exists()


def test_starting_again_changes_only_what_is_missing_and_remembers_what_was_there_first(
    place: Path, book: Book
) -> None:
    before = world(place)
    facts = files(place, a="new", c="new")
    keeping.start(book, [wanting("one", facts)])
    assert keeping.start(book, [wanting("one", facts)]).commands == ()
    (place / "c").unlink()
    done = keeping.start(book, [wanting("one", facts)])
    assert len(done.commands) == 1
    keeping.stop(book, ["one"])
    assert world(place) == before


@pytest.mark.parametrize("order", list(itertools.permutations(["one", "two", "three"])))
def test_a_fact_of_several_holders_is_put_back_by_the_last_in_whatever_order_they_go(
    place: Path, book: Book, order: Sequence[str]
) -> None:
    before = world(place)
    for holder in ("one", "two", "three"):
        keeping.start(book, [wanting(holder, files(place, a="shared", **{holder: "own"}))])
    for count, holder in enumerate(order, 1):
        keeping.stop(book, [holder])
        assert (place / "a").read_text() == ("shared" if count < 3 else "old a")
        assert not (place / holder).exists()
    assert world(place) == before


def test_a_rehearsal_names_each_change_once_and_changes_nothing(place: Path, book: Book) -> None:
    before = world(place)
    both = [wanting("one", files(place, a="new", c="1")), wanting("two", files(place, a="new", d="2"))]
    done = keeping.start(book, both, rehearse=True)
    assert [command.splitlines()[0].split()[5] for command in done.commands] == [
        str(place / name) for name in ("a", "c", "d")
    ]
    assert world(place) == before
    assert not book.path.exists()
    keeping.start(book, both)
    told = keeping.stop(book, ["one", "two"], rehearse=True)
    assert (place / "a").read_text() == "new"
    assert keeping.stop(book, ["one", "two"]) == told
    assert world(place) == before


def test_if_a_change_fails_all_is_as_it_was_also_for_those_who_hold_something_already(place: Path, book: Book) -> None:
    keeping.start(book, [wanting("one", files(place, a="new"))])
    before, noted = world(place), book.path.read_text()

    def fail() -> None:
        raise OSError(30, "Read-only file system")

    facts = [*files(place, a="new", b="new", c="new"), Trap(str(place / "d"), "").springing(fail)]
    with pytest.raises(HostError, match=r"Read-only file system; nothing was changed"):
        keeping.start(book, [wanting("two", facts)])
    assert (world(place), book.path.read_text()) == (before, noted)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("step", range(4))
def test_killed_at_any_step_of_a_start_a_stop_puts_all_back(place: Path, book: Book, step: int, again: bool) -> None:
    before = world(place)
    facts = files(place, a="new", b="new", c="new")
    killed: list[Fact] = [*facts[:step], Trap(str(place / "trap"), "").springing(lambda: os._exit(9)), *facts[step:]]
    child = os.fork()
    if child == 0:
        keeping.start(book, [wanting("one", killed)])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert sum(world(place)[name] == "new" for name in ("a", "b")) == min(step, 2)
    if again:
        keeping.start(book, [wanting("one", facts)])
        assert world(place) == {"a": "new", "b": "new", "c": "new"}
    keeping.stop(book, ["one"])
    assert world(place) == before


def test_killed_in_the_middle_of_a_stop_another_stop_ends_it(place: Path, book: Book) -> None:
    before = world(place)
    keeping.start(book, [wanting("one", files(place, a="new", b="new"))])
    (place / "b").write_text("old b")  # as far as the killed one came
    keeping.stop(book, ["one"])
    assert world(place) == before


def test_what_somebody_else_changed_meanwhile_is_left_and_told(place: Path, book: Book) -> None:
    keeping.start(book, [wanting("one", files(place, a="new", b="new"))])
    (place / "a").write_text("theirs")
    done = keeping.stop(book, ["one"])
    assert done.left == (f"the file {place / 'a'}",)
    assert world(place) == {"a": "theirs", "b": "old b"}


def test_who_wants_something_else_than_another_holder_is_refused_by_name(place: Path, book: Book) -> None:
    keeping.start(book, [wanting("one", files(place, a="new"))])
    before = world(place)
    with pytest.raises(HostError, match=r"one wants .*; stop one first"):
        keeping.start(book, [wanting("two", files(place, c="c", a="other"))])
    assert world(place) == before


def test_a_start_with_other_wishes_puts_back_what_is_no_longer_wanted(place: Path, book: Book) -> None:
    before = world(place)
    keeping.start(book, [wanting("one", files(place, a="new", c="new"))])
    keeping.start(book, [wanting("one", files(place, b="new", c="newer"))])
    assert world(place) == {"a": "old a", "b": "new", "c": "newer"}
    keeping.stop(book, ["one"])
    assert world(place) == before


def test_stopping_what_was_never_started_changes_nothing_and_says_so(place: Path, book: Book) -> None:
    assert keeping.stop(book, ["one"]) == keeping.Done(unknown=("one",))


def test_a_ledger_that_can_not_be_written_is_a_refusal_before_anything_is_changed(place: Path, book: Book) -> None:
    keeping.start(book, [wanting("one", files(place, a="new"))])
    before = world(place)
    book.path.with_suffix(".new").mkdir()
    with pytest.raises(HostError, match=r"can't be written, where it is noted.*nothing was changed"):
        keeping.start(book, [wanting("two", files(place, b="new"))])
    book.path.with_suffix(".new").rmdir()
    assert world(place) == before


def test_a_damaged_ledger_is_named_and_nothing_is_changed(place: Path, book: Book) -> None:
    keeping.start(book, [wanting("one", files(place, a="new"))])
    book.path.write_text(book.path.read_text()[:-20])
    for attempt in (lambda: keeping.stop(book, ["one"]), lambda: keeping.start(book, [])):
        with pytest.raises(HostError, match=r"1\.json is damaged"):
            attempt()
    assert (place / "a").read_text() == "new"


def test_after_a_boot_what_lasts_is_known_and_can_be_undone(place: Path, tmp_path: Path) -> None:
    before = world(place)
    keeps = tmp_path / "var" / "directrix" / "realserver"
    book = Book(tmp_path / "run" / "1.json", keeps)
    facts, lasting = files(place, a="new"), files(place, unit="start it")
    kept = Ledger({"one": {}, "lasting one": {}})
    kept.hold("one", facts[0], "old a")
    kept.hold("lasting one", lasting[0], None)
    told = kept_file(keeps, "vip", kept)
    keeping.start(book, [wanting("one", facts), wanting("lasting one", [*lasting, told])])
    book.path.unlink()  # what a boot does

    assert [entry.fact.key for entry in book.read().held_by("lasting one")] == [lasting[0].key, told.key]
    keeping.stop(book, ["one"])
    assert world(place) == {**before, "unit": "start it"}
    assert not book.read().held_by("one"), "stopped, it stays so until the next boot"
    keeping.stop(book, ["lasting one"])
    assert world(place) == before
    assert not keeps.parent.exists()


def test_ledgers_of_network_namespaces_that_are_gone_go_with_the_next_first_start(place: Path, book: Book) -> None:
    alive = namespaces.current().inode
    for number, inode in ((2, 1), (3, alive), (4, 0)):
        other = Book(book.path.with_name(f"{number}.json"), namespace=inode)
        keeping.start(other, [wanting("one", files(place, a="new"))])
    keeping.start(book, [wanting("one", files(place, a="new"))])
    assert sorted(path.name for path in book.path.parent.iterdir()) == ["1.json", "3.json", "4.json"]


def test_a_ledger_is_read_as_it_was_written() -> None:
    ledger = Ledger({"one": {"method": "x"}, "two": {}})
    facts: list[Fact] = [
        TextFile("/x", "text\n", 0o600),
        NftTable("arp", "t", (Chain("in", "type filter hook input priority 0", ("a", "b")),)),
        XtablesRule("iptables", "nat", "PREROUTING", ("-d", "x")),
    ]
    for fact in facts:
        ledger.entries[fact.key] = Entry(fact, None, ("one", "two"))
    assert from_text(to_text(ledger)) == ledger
