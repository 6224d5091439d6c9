"""All checks, in the order in which they are done: from the host itself to the wire, from causes to effects."""

from __future__ import annotations

from directrix.doctor.checks import (
    announcing,
    answers,
    arp_settings,
    client_here,
    client_path,
    clocks,
    direct_path,
    director,
    fill,
    filtering,
    forwarding,
    gateway,
    health_checks,
    hooks,
    kernel,
    link,
    listening,
    masquerade_path,
    mtu,
    neighbours,
    own_address,
    prepared,
    rp_filter,
    services,
    tunnel_path,
    vip,
    vrrp,
)

CHECKS = {
    check.name: check
    for check in (
        kernel.CHECK,
        link.CHECK,
        hooks.CHECK,
        director.CHECK,
        services.CHECK,
        health_checks.CHECK,
        prepared.CHECK,
        vrrp.CHECK,
        vip.CHECK,
        own_address.CHECK,
        arp_settings.CHECK,
        listening.CHECK,
        filtering.CHECK,
        forwarding.CHECK,
        fill.CHECK,
        client_here.CHECK,
        answers.CHECK,
        neighbours.CHECK,
        direct_path.CHECK,
        tunnel_path.CHECK,
        masquerade_path.CHECK,
        client_path.CHECK,
        announcing.CHECK,
        gateway.CHECK,
        rp_filter.CHECK,
        mtu.CHECK,
        clocks.CHECK,
    )
}
"""By the name `--only` calls it."""
