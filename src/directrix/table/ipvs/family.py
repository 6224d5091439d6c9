"""The numbers of IPVS's generic netlink family (`<linux/ip_vs.h>`), by its own names."""

from __future__ import annotations

import enum

NAME = "IPVS"


class Command(enum.IntEnum):
    """What can be asked. The kernel's answers bear the number of the NEW or SET of their kind."""

    NEW_SERVICE = 1
    SET_SERVICE = 2
    DEL_SERVICE = 3
    GET_SERVICE = 4
    NEW_DEST = 5
    SET_DEST = 6
    DEL_DEST = 7
    GET_DEST = 8
    NEW_DAEMON = 9
    DEL_DAEMON = 10
    GET_DAEMON = 11
    SET_CONFIG = 12
    GET_CONFIG = 13
    SET_INFO = 14
    GET_INFO = 15
    ZERO = 16
    FLUSH = 17


class Top(enum.IntEnum):
    """Attributes of a message."""

    SERVICE = 1
    DEST = 2
    DAEMON = 3
    TIMEOUT_TCP = 4
    TIMEOUT_TCP_FIN = 5
    TIMEOUT_UDP = 6


class Service(enum.IntEnum):
    """Attributes of a virtual service. PORT and an IPv4 NETMASK are in network byte order."""

    AF = 1
    PROTOCOL = 2
    ADDR = 3
    PORT = 4
    FWMARK = 5
    SCHED_NAME = 6
    FLAGS = 7
    TIMEOUT = 8
    NETMASK = 9
    STATS = 10
    PE_NAME = 11
    STATS64 = 12


class ServiceFlag(enum.IntFlag):
    """Flags of a virtual service; the scheduler's are those of `SchedulerFlags`."""

    PERSISTENT = 0x01
    HASHED = 0x02
    ONEPACKET = 0x04


class Dest(enum.IntEnum):
    """Attributes of a real server. PORT and TUN_PORT are in network byte order."""

    ADDR = 1
    PORT = 2
    FWD_METHOD = 3
    WEIGHT = 4
    U_THRESH = 5
    L_THRESH = 6
    ACTIVE_CONNS = 7
    INACT_CONNS = 8
    PERSIST_CONNS = 9
    STATS = 10
    ADDR_FAMILY = 11
    STATS64 = 12
    TUN_TYPE = 13
    TUN_PORT = 14
    TUN_FLAGS = 15


class Daemon(enum.IntEnum):
    """Attributes of a synchronisation daemon. The groups are in network byte order, MCAST_PORT is not."""

    STATE = 1
    MCAST_IFN = 2
    SYNC_ID = 3
    SYNC_MAXLEN = 4
    MCAST_GROUP = 5
    MCAST_GROUP6 = 6
    MCAST_PORT = 7
    MCAST_TTL = 8


class Stats(enum.IntEnum):
    """Attributes of STATS and STATS64: totals, then rates a second, each in the order of `Counters`."""

    CONNS = 1
    INPKTS = 2
    OUTPKTS = 3
    INBYTES = 4
    OUTBYTES = 5
    CPS = 6
    INPPS = 7
    OUTPPS = 8
    INBPS = 9
    OUTBPS = 10


class Info(enum.IntEnum):
    """Attributes of an answer to GET_INFO."""

    VERSION = 1
    CONN_TAB_SIZE = 2
