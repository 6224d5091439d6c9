"""What a block takes over when it says nothing: from the global definitions, and from the block around it.

Reading fills in from here what was not told; writing leaves out what is as it would be filled in.
So the two can't disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from directrix.keepalived.parts import defaults
from directrix.keepalived.values import (
    AgentCheck,
    Check,
    DnsCheck,
    DrCheck,
    GlobalDefinitions,
    HttpCheck,
    InitialState,
    MiscCheck,
    RealServer,
    SmtpHost,
    SyncGroup,
    Url,
    VirtualServer,
    VrrpInstance,
)
from directrix.lvs import Family

OWNER = 255
"""The priority of who owns the addresses (RFC 5798)."""

_RETRIES: Mapping[type, int] = {DnsCheck: 3, MiscCheck: 0}
_DELAYS: Mapping[type, float] = {HttpCheck: 3.0}
"""What kinds of checks have where nobody says anything; the others retry once, after a second."""

Fields = Mapping[str, Any]


def of_globals(given: Fields) -> dict[str, Any]:
    """Of the global definitions; some defaults follow others."""
    found = defaults(GlobalDefinitions)
    for name in ("delay", "repeat"):
        found[f"garp.lower_prio_{name}"] = given.get(f"garp.master_{name}", found[f"garp.master_{name}"])
    found["vmac_addr_prefix"] = given.get("vmac_prefix", found["vmac_prefix"])
    return found


STRICT: Fields = {
    "garp.lower_prio_delay": 0,
    "garp.lower_prio_repeat": 0,
    "lower_prio_no_advert": True,
    "higher_prio_send_advert": False,
}
"""What `strict_mode` leaves no choice about."""


def of_instance(settings: GlobalDefinitions, given: Fields) -> dict[str, Any]:
    """Of a VRRP instance; `given` needs its family."""
    family = given.get("family", Family.INET)
    strict = given.get("strict", settings.vrrp_strict)
    state = given.get("state", InitialState.BACKUP)
    priority = given.get("priority", OWNER if state is InitialState.MASTER else 100)
    garp = settings.garp
    found = defaults(VrrpInstance)
    found |= {f"garp.{name}": getattr(garp, name) for name in type(garp).__slots__}
    found |= {
        "priority": OWNER if state is InitialState.MASTER else 100,
        "version": 3 if family is Family.INET6 else settings.vrrp_version,
        "multicast": settings.vrrp_mcast_group6 if family is Family.INET6 else settings.vrrp_mcast_group4,
        "strict": settings.vrrp_strict,
        "accept": not strict or priority == OWNER,
        "down_timer_adverts": settings.vrrp_down_timer_adverts,
        "check_unicast_source": settings.vrrp_check_unicast_src,
        "skip_check_adv_addr": settings.vrrp_skip_check_adv_addr,
        "lower_prio_no_advert": settings.vrrp_lower_prio_no_advert,
        "higher_prio_send_advert": settings.vrrp_higher_prio_send_advert,
        "notify.priority_changes": settings.vrrp_notify_priority_changes,
        "notify.smtp_alert": _alert(settings.smtp_alert_vrrp, settings.smtp_alert),
    }
    return {**found, **STRICT} if strict else found


def of_group(settings: GlobalDefinitions) -> dict[str, Any]:
    """Of a sync group."""
    return defaults(SyncGroup) | {
        "notify.priority_changes": settings.vrrp_notify_priority_changes,
        "notify.smtp_alert": _alert(settings.smtp_alert_vrrp, settings.smtp_alert),
    }


def _alert(special: bool | None, general: bool | None, otherwise: bool = False) -> bool:
    return next((alert for alert in (special, general) if alert is not None), otherwise)


def of_virtual_server(settings: GlobalDefinitions) -> dict[str, Any]:
    """Of a virtual server."""
    return defaults(VirtualServer) | {
        "smtp_alert": _alert(settings.smtp_alert_checker, settings.smtp_alert),
    }


def of_sorry_server(method: Any, tunnel: Any) -> dict[str, Any]:
    """Of a sorry server, from its virtual server's method."""
    return {"sorry_server.method": method, "sorry_server.tunnel": tunnel}


TAKEN_OVER = (
    *("method", "tunnel", "inhibit_on_failure", "virtualhost", "alpha"),
    *("connect_timeout", "retry", "delay_before_retry", "warmup", "delay_loop"),
    *("slow_start", "drain"),
)
"""What a real server takes over from its virtual server."""


def of_real_server(settings: GlobalDefinitions, server: Fields) -> dict[str, Any]:
    """Of a real server; `server` are the fields of its virtual server."""
    # keepalived sends mail about real servers unless it is told otherwise
    alert = _alert(settings.smtp_alert_checker, settings.smtp_alert, otherwise=True)
    return defaults(RealServer) | {name: server[name] for name in TAKEN_OVER} | {"smtp_alert": alert}


def of_check(
    cls: type[Check], settings: GlobalDefinitions, server: Fields, given: Fields, vip: Fields
) -> dict[str, Any]:
    """Of a check; `server` are the fields of its real server, `vip` address and port of its virtual server."""
    found = defaults(cls)
    delay_loop = given.get("delay_loop", server["delay_loop"])
    before_retry = server["delay_before_retry"]
    if before_retry is None:
        before_retry = delay_loop if cls is DnsCheck else _DELAYS.get(cls, 1.0)
    found |= {
        "alpha": server["alpha"],
        "delay_loop": server["delay_loop"],
        "warmup": delay_loop if server["warmup"] is None else server["warmup"],
        "retry": _RETRIES.get(cls, 1) if server["retry"] is None else server["retry"],
        "delay_before_retry": before_retry,
        "log_all_failures": settings.checker_log_all_failures,
    }
    if cls is not MiscCheck:
        where = vip if cls is DrCheck else server
        found |= {"connect_ip": where.get("address"), "connect_port": where.get("port", 0)}
        found["connect_timeout"] = server["connect_timeout"]
    if cls is AgentCheck:
        found["connect_port"] = None
    return found


def of_host(check: Fields) -> dict[str, Any]:
    """Of a `host` of an SMTP_CHECK; `check` are the fields of that check."""
    return defaults(SmtpHost) | {name: check[name] for name in ("connect_ip", "connect_port", "connect_timeout")}


def of_url(virtualhost: str) -> dict[str, Any]:
    """Of a URL; `virtualhost` is its real server's."""
    return defaults(Url) | {"virtualhost": virtualhost}
