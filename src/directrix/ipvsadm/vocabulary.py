"""The words of the language: commands and options, by the names ipvsadm's messages give them."""

from __future__ import annotations

import enum
from typing import Final


class Command(enum.Enum):
    """A command; its value is what messages call it."""

    ADD_SERVICE = "add-service"
    EDIT_SERVICE = "edit-service"
    DELETE_SERVICE = "delete-service"
    FLUSH = "flush"
    LIST = "list"
    ADD_SERVER = "add-server"
    DELETE_SERVER = "delete-server"
    EDIT_SERVER = "edit-server"
    SET = "set"
    START_DAEMON = "start-daemon"
    STOP_DAEMON = "stop-daemon"
    RESTORE = "restore"
    SAVE = "save"
    ZERO = "zero"
    HELP = "help"
    VERSION = "version"


OPTION_NAMES: Final = (
    "numeric",
    "connection",
    "service-address",
    "scheduler",
    "persistent",
    "netmask",
    "real-server",
    "forwarding-method",
    "weight",
    "u-threshold",
    "l-threshold",
    "mcast-interface",
    "timeout",
    "daemon",
    "stats",
    "rate",
    "thresholds",
    "persistent-conn",
    "nosort",
    "syncid",
    "exact",
    "ops",
    "pe",
    "sched-flags",
    "mcast-group",
    "mcast-port",
    "mcast-ttl",
    "sync-maxlen",
    "tun-info",
    "tun-type",
    "tun-port",
    "tun-nocsum",
    "tun-csum",
    "tun-remcsum",
    "json",
    "atomic",
)
"""Message names of the options, in the order in which ipvsadm looks for faults. `json` and `atomic` are ours."""

BIT: Final = {name: 1 << index for index, name in enumerate(OPTION_NAMES)}
"""Each option's bit in the set of options a command line gave."""
