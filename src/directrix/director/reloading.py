"""A reload: the configuration is read again, vetted, and gone on by, or refused whole with everything as it was."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from directrix.director.balancer import Balancer
from directrix.director.complaints import first_error, tell_faults
from directrix.director.options import Options
from directrix.director.ordering import Ordering
from directrix.director.plan import Change
from directrix.director.refusal import Refused
from directrix.director.setup import Setup, prepare, vet
from directrix.keepalived import FaultyConfiguration, load
from directrix.keepalived.values import Configuration
from directrix.lvs import TableError
from directrix.table.interface import Table
from directrix.vrrp.service import VrrpService

_log = logging.getLogger("directrix.director")


async def read_again(options: Options, before: Setup, table: Table) -> Setup:
    """What is configured now. It is read in a thread, for adverts of VRRP go out meanwhile.

    Raises:
        FaultyConfiguration: with all mistakes.
        Refused: what is configured can't be, or not without a restart.
        OSError: the file can't be read.
    """
    loaded = await asyncio.to_thread(load, options.path, options.config_id)
    tell_faults(loaded.warnings)
    if loaded.configuration.globals.net_namespace != before.configuration.globals.net_namespace:
        raise Refused(["net_namespace can't change while the director runs: restart it"])
    return await asyncio.to_thread(_prepared, loaded.configuration, table)


def _prepared(configuration: Configuration, table: Table) -> Setup:
    setup = prepare(configuration)
    vet(setup, table)
    return setup


async def go_over(
    setup: Setup, before: Setup, balancer: Balancer, orders: Ordering, vrrp: VrrpService
) -> tuple[Change, ...]:
    """Have balancer and VRRP go on by another setup; both go back to the one before if either refuses.

    Raises:
        Refused, TableError, OSError: why it is refused.
    """
    vrrp.vet(setup.routers)
    ordered = dict(balancer.orders)
    try:
        changes = await balancer.reload(setup)
        await vrrp.reload(setup.routers)
    except (OSError, TableError):
        with suppress(TableError):  # then it is astray, and tried again
            await balancer.reload(before)
        orders.restore(ordered)
        raise
    return changes


def told_refusal(error: Exception, path: str) -> str:
    """Why a reload is refused, in a sentence; what there is more to say goes to the log.

    Args:
        error: what came of it; called while it is handled.
        path: of the configuration.
    """
    match error:
        case FaultyConfiguration():
            tell_faults(error.faults)
            errors = sum(fault.severity == "error" for fault in error.faults)
            return f"{errors} mistakes in {path}, the first one: {first_error(error)}"
        case Refused():
            for reason in error.reasons:
                _log.error("%s", reason)
            return "; ".join(error.reasons)
        case OSError() | TableError():
            return str(error)
    _log.exception("reload")
    return f"a fault of directrix itself: {error!r}"
