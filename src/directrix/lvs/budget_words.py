"""The words a budget is given in, on the command line and in saved files alike.

-t | -u | --sctp-service VIP:PORT, or -f MARK [-6]        the service, in ipvsadm's words
--rate COUNT[/s|/m|/h] [--burst COUNT]                    of the service
--source-rate COUNT[/s|/m|/h] [--source-burst COUNT]      of each source
[--source-prefix BITS] [--source-prefix6 BITS]            what a source is
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from directrix.lvs.addresses import Family, endpoint
from directrix.lvs.budget import PERIODS, PREFIX4, PREFIX6, Budget, BudgetState, Rate, default_burst
from directrix.lvs.errors import InvalidRequest, TableError
from directrix.lvs.service import Protocol, ServiceKey

RATE, BURST, SOURCE_RATE, SOURCE_BURST = "--rate", "--burst", "--source-rate", "--source-burst"
SOURCE_PREFIX, SOURCE_PREFIX6 = "--source-prefix", "--source-prefix6"
OPTIONS = (RATE, BURST, SOURCE_RATE, SOURCE_BURST, SOURCE_PREFIX, SOURCE_PREFIX6)

_RATE = re.compile(r"([0-9]{1,20})(?:/(?:([smh])|(second|minute|hour)))?")
_SERVICE_OPTIONS = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}

ReadService = Callable[[Sequence[str]], ServiceKey]
"""Gives the service that some words mean; raises TableError if they mean none."""


class FaultyBudgets(Exception):
    """Saved budgets that can't be restored; the text names each fault as FILE:LINE."""


def read_budget(values: Mapping[str, str]) -> Budget:
    """The budget that options mean, each with its text.

    Raises:
        InvalidRequest: they mean none.
    """
    prefix4 = _number(values, SOURCE_PREFIX, PREFIX4)
    prefix6 = _number(values, SOURCE_PREFIX6, PREFIX6)
    for option in (SOURCE_BURST, SOURCE_PREFIX, SOURCE_PREFIX6):
        if option in values and SOURCE_RATE not in values:
            raise InvalidRequest(f"{option} needs {SOURCE_RATE} beside it")
    if BURST in values and RATE not in values:
        raise InvalidRequest(f"{BURST} needs {RATE} beside it")
    budget = Budget(_rate(values, RATE, BURST), _rate(values, SOURCE_RATE, SOURCE_BURST), prefix4, prefix6)
    budget.check()
    return budget


def _rate(values: Mapping[str, str], option: str, burst: str) -> Rate | None:
    text = values.get(option)
    if text is None:
        return None
    try:
        count, period = read_rate(text)
    except ValueError as error:
        raise InvalidRequest(f"{option} {text}: {error}") from None
    return Rate(count, period, _number(values, burst, default_burst(count, period)))


def read_rate(text: str) -> tuple[int, int]:
    """How many, in how many seconds.

    Raises:
        ValueError: it is no rate.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("a rate is COUNT, COUNT/s, COUNT/m or COUNT/h")
    return int(match[1]), PERIODS[match[2] or (match[3] or "s")[0]]


def _number(values: Mapping[str, str], option: str, default: int) -> int:
    text = values.get(option)
    if text is None:
        return default
    bare = text.removeprefix("/") if option in (SOURCE_PREFIX, SOURCE_PREFIX6) else text
    if not bare.isascii() or not bare.isdigit():
        raise InvalidRequest(f"{option} {text}: that is no number")
    return int(bare)


def read_line(words: Sequence[str], read_service: ReadService) -> tuple[ServiceKey, Budget]:
    """A service and its budget, from the words of a line.

    Raises:
        TableError: they mean none.
    """
    service: list[str] = []
    values: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word not in OPTIONS:
            service.append(word)
            continue
        value = next(rest, None)
        if value is None:
            raise InvalidRequest(f"{word} needs a value")
        if word in values:
            raise InvalidRequest(f"{word} is given twice")
        values[word] = value
    return read_service(service), read_budget(values)


def read_budgets(lines: Iterable[str], file: str, read_service: ReadService) -> dict[ServiceKey, Budget]:
    """The budgets of a file called `file`. Empty lines and those that begin with # are left out.

    Raises:
        FaultyBudgets: with every fault of every line.
    """
    found: dict[ServiceKey, Budget] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key, budget = read_line(line.split(), read_service)
            if key in found:
                raise InvalidRequest(f"{key} has a budget in an earlier line")
            found[key] = budget
        except TableError as error:
            faults.append(f"{file}:{number}: {error.reason}")
    if faults:
        raise FaultyBudgets("\n".join(faults))
    return found


def service_words(key: ServiceKey) -> str:
    """A service as ipvsadm writes it."""
    if key.protocol is None or key.address is None:
        return f"-f {key.fwmark}" + (" -6" if key.family is Family.INET6 else "")
    return f"{_SERVICE_OPTIONS[key.protocol]} {endpoint(key.address, key.port)}"


def budget_words(budget: Budget) -> str:
    """A budget in the words that make it."""
    words = []
    if budget.service is not None:
        words.append(f"{RATE} {budget.service.text} {BURST} {budget.service.burst}")
    if budget.source is not None:
        words.append(f"{SOURCE_RATE} {budget.source.text} {SOURCE_BURST} {budget.source.burst}")
        words.append(f"{SOURCE_PREFIX} {budget.prefix4} {SOURCE_PREFIX6} {budget.prefix6}")
    return " ".join(words)


def saved(budgets: Mapping[ServiceKey, BudgetState]) -> Iterator[str]:
    """A line a budget, in the words that made it or could have."""
    for key, state in budgets.items():
        yield f"{service_words(key)} {budget_words(state.budget)}\n"
