"""From the VRRP half of a keepalived.conf to what `vrrp/` is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, ip_network

from directrix.director.programs import command, fifo, maybe_command
from directrix.director.route_words import route_words, rule_words
from directrix.keepalived import values
from directrix.keepalived.values import Configuration, VrrpInstance
from directrix.lvs import Address
from directrix.system.interfaces import AddressFlag
from directrix.vrrp import configuration as vrrp
from directrix.vrrp.tracked import File, LinkDelay, ParameterMatch, Process, Script, Tracked, Tracking
from directrix.vrrp.values import (
    Authentication,
    AuthenticationType,
    Gratuitous,
    Notify,
    OldChecksum,
    Peer,
    Routing,
    VirtualAddress,
    VirtualMac,
)

_SCOPES = {"": 0, "global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}

_FLAGS = {
    "home": AddressFlag.HOMEADDRESS,
    "manage_temporary": AddressFlag.MANAGETEMPADDR,
    "no_prefix_route": AddressFlag.NOPREFIXROUTE,
    "auto_join": AddressFlag.MCAUTOJOIN,
}

_CHECKSUMS = {None: OldChecksum.DETECT, True: OldChecksum.ALWAYS, False: OldChecksum.NEVER}


def routers(configuration: Configuration) -> vrrp.Configuration:
    """All virtual routers, and what they follow.

    Raises:
        InvalidConfiguration: what no router could keep to.
    """
    settings = configuration.globals
    fifos = [wanted for wanted in (settings.notify_fifo, settings.vrrp_notify_fifo) if wanted is not None]
    return vrrp.Configuration(
        tuple(_instance(instance, configuration) for instance in configuration.instances),
        tuple(_group(group, settings) for group in configuration.sync_groups),
        tuple(_script(script, settings) for script in configuration.scripts),
        tuple(_process(process) for process in configuration.track_processes),
        tuple(
            File(file.name, file.file, file.weight, file.reverse, file.init_value, file.overwrite)
            for file in configuration.track_files
        ),
        tuple(fifo(wanted, settings) for wanted in fifos),
        tuple(LinkDelay(delay.interface, delay.down, delay.up) for delay in configuration.interface_delays),
        settings.vrrp_startup_delay,
    )


def inert(configuration: Configuration) -> Iterator[str]:
    """What it says of VRRP and its surroundings that has no effect here, to be told of."""
    if configuration.globals.disable_local_igmp:
        yield "disable_local_igmp has no effect: sysctl -w net.ipv4.igmp_link_local_mcast_reports=0 does it"
    followed = [address.track_group for address in configuration.static_addresses]
    followed += [route.track_group for route in configuration.static_routes]
    followed += [rule.track_group for rule in configuration.static_rules]
    if any(followed):
        yield "track_group has no effect on what is static: no instance follows it"
    for instance in configuration.instances:
        where = f"vrrp_instance {instance.name}"
        if instance.vmac_addr:
            yield f"{where}: use_vmac_addr has no effect: only its own interface has a virtual MAC address"
        if instance.vrf:
            yield f"{where}: vrf {instance.vrf} has no effect"
        if instance.rx_buffer:
            yield f"{where}: kernel_rx_buf_size has no effect"
        for address in (*instance.addresses, *instance.excluded_addresses):
            if address.use_vmac:
                yield f"{where}: {address.address}: use_vmac has no effect on a single address"
            if address.preferred_lifetime:
                yield f"{where}: {address.address}: preferred_lft {address.preferred_lifetime} counts as for ever"


def _instance(instance: VrrpInstance, configuration: Configuration) -> vrrp.Instance:
    settings = configuration.globals
    authentication = instance.authentication
    return vrrp.Instance(
        name=instance.name,
        interface=instance.interface,
        vrid=instance.virtual_router_id,
        priority=instance.priority,
        version=instance.version,
        family=instance.family,
        starts_as_master=instance.state is values.InitialState.MASTER,
        interval=round(instance.advert_int * 100),
        addresses=tuple(map(virtual_address, instance.addresses)),
        excluded=tuple(map(virtual_address, instance.excluded_addresses)),
        routes=tuple(Routing(route.family, route_words(route, instance.interface)) for route in instance.routes),
        rules=tuple(Routing(rule.family, rule_words(rule)) for rule in instance.rules),
        authentication=None
        if authentication is None
        else Authentication(AuthenticationType[authentication.type.name], authentication.password),
        source=instance.source,
        track_source=instance.track_source,
        peers=tuple(Peer(peer.address, peer.min_ttl, peer.max_ttl) for peer in instance.unicast_peers),
        fault_without_peer=instance.unicast_fault_no_peer,
        unicast_ttl=instance.unicast_ttl,
        check_unicast_source=instance.check_unicast_source,
        old_checksum=_CHECKSUMS[instance.old_unicast_checksum],
        group=instance.multicast,
        virtual_mac=_virtual_mac(instance, settings.vmac_prefix),
        nopreempt=not instance.preempt,
        preempt_delay=instance.preempt_delay,
        accept=instance.accept,
        promote_secondaries=instance.promote_secondaries,
        gratuitous=_gratuitous(instance, configuration),
        down_adverts=instance.down_timer_adverts,
        lower_prio_no_advert=instance.lower_prio_no_advert,
        higher_prio_send_advert=instance.higher_prio_send_advert,
        skip_check_addresses=instance.skip_check_adv_addr,
        track_interface=not instance.dont_track_primary,
        tracking=_tracking(instance),
        notify=_notify(instance.notify, settings),
    )


def virtual_address(address: values.InterfaceAddress) -> VirtualAddress:
    """An address with what goes with it."""
    flags = AddressFlag.NODAD
    for name, flag in _FLAGS.items():
        flags |= flag if getattr(address, name) else AddressFlag(0)
    return VirtualAddress(
        address.address,
        address.prefix,
        device=address.interface,
        broadcast=_broadcast(address),
        label=address.label,
        scope=_SCOPES[address.scope] if address.scope in _SCOPES else int(address.scope),
        peer=address.peer,
        flags=flags,
        deprecated=address.preferred_lifetime == 0,
    )


def _broadcast(address: values.InterfaceAddress) -> IPv4Address | None:
    """`+` stands for the network's last address, `-` for its first (ip-address(8))."""
    if not address.broadcast:
        return None
    if address.broadcast not in "+-":
        return IPv4Address(address.broadcast)
    network = ip_network((address.address, address.prefix), strict=False)
    chosen: Address = network.broadcast_address if address.broadcast == "+" else network.network_address
    return chosen if isinstance(chosen, IPv4Address) else None


def _virtual_mac(instance: VrrpInstance, prefix: str) -> VirtualMac | None:
    wanted = instance.virtual_mac
    if wanted is None:
        return None
    name = wanted.interface
    if not name and prefix != "vrrp":
        name = f"{prefix}{'6' if instance.family.bits == 128 else ''}.{instance.virtual_router_id}"
    return VirtualMac(name, instance.vmac_xmit_base, wanted.mac or b"")


def _gratuitous(instance: VrrpInstance, configuration: Configuration) -> Gratuitous:
    garp, settings = instance.garp, configuration.globals
    arp, na = settings.garp_interval, settings.gna_interval
    for group in configuration.garp_groups:
        if instance.interface in group.interfaces:
            arp, na = group.garp_interval, group.gna_interval
    return Gratuitous(
        garp.master_delay,
        garp.master_repeat,
        garp.master_refresh,
        garp.master_refresh_repeat,
        garp.lower_prio_delay,
        garp.lower_prio_repeat,
        arp,
        na,
    )


def _group(group: values.SyncGroup, settings: values.GlobalDefinitions) -> vrrp.Group:
    notify = _notify(group.notify, settings)
    return vrrp.Group(group.name, group.instances, _tracking(group), group.tracking_weight, notify)


def _tracking(followed: VrrpInstance | values.SyncGroup) -> Tracking:
    return Tracking(
        _tracked(followed.track_interface),
        _tracked(followed.track_script),
        _tracked(followed.track_process),
        _tracked(followed.track_file),
    )


def _tracked(tracks: Iterable[values.Track]) -> tuple[Tracked, ...]:
    return tuple(Tracked(track.name, track.weight, track.reverse) for track in tracks)


def _notify(notify: values.Notify, settings: values.GlobalDefinitions) -> Notify:
    return Notify(
        maybe_command(notify.master, settings),
        maybe_command(notify.backup, settings),
        maybe_command(notify.fault, settings),
        maybe_command(notify.stop, settings),
        maybe_command(notify.deleted, settings),
        notify.deleted_state,
        maybe_command(notify.any, settings),
        maybe_command(notify.master_rx_lower_pri, settings),
        notify.priority_changes,
    )


def _script(script: values.VrrpScript, settings: values.GlobalDefinitions) -> Script:
    return Script(
        script.name,
        command(script.script, settings),
        script.interval,
        script.timeout or None,
        script.weight,
        script.reverse,
        script.rise,
        script.fall,
        script.init_fail,
    )


def _process(process: values.TrackProcess) -> Process:
    return Process(
        process.name,
        process.process,
        process.arguments,
        ParameterMatch(process.param_match.value),
        process.full_command,
        process.weight,
        process.reverse,
        process.quorum,
        process.quorum_max,
        process.fork_delay,
        process.terminate_delay,
    )
