"""From a file to a running director: what is done before its loop begins, and what is refused there."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from dataclasses import replace

from directrix.director import places
from directrix.director.complaints import tell_faults
from directrix.director.daemon import Director
from directrix.director.options import Options
from directrix.director.refusal import Refused
from directrix.director.setup import prepare, vet
from directrix.keepalived import FaultyConfiguration, load
from directrix.lvs import TableError
from directrix.lvs.errors import TableUnavailable
from directrix.system import namespaces
from directrix.system.service_manager import ServiceManager
from directrix.table.opening import make_in_force, open_table

_log = logging.getLogger("directrix.director")

REFUSED = 1
UNAVAILABLE = 2


def run(options: Options) -> int:
    """Run a director until it is told to stop.

    Returns:
        The exit status: 0 after a stop in good order, REFUSED for a configuration or a machine that doesn't allow it,
        UNAVAILABLE if there is no table to be had.
    """
    manager = ServiceManager()
    try:
        loaded = load(options.path, options.config_id)
        tell_faults(loaded.warnings)
        setup = prepare(loaded.configuration)
        if setup.configuration.globals.net_namespace:
            namespaces.enter(setup.configuration.globals.net_namespace)
        claim = places.Claim()
        try:
            with closing(open_table(create=True)) as table:
                vet(setup, table)
                options = replace(options, make=make_in_force())
                asyncio.run(Director(setup, table, claim.place, options, manager).run())
        finally:
            claim.release()
            manager.close()
    except FaultyConfiguration as faulty:
        tell_faults(faulty.faults)
        return REFUSED
    except Refused as refused:
        for reason in refused.reasons:
            _log.error("%s", reason)
        return REFUSED
    except TableUnavailable as error:
        _log.error("%s", error)
        return UNAVAILABLE
    except OSError as error:
        _log.error("%s", f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error)
        return REFUSED
    except (TableError, places.AlreadyRunning) as error:
        _log.error("%s", error)
        return REFUSED
    return 0
