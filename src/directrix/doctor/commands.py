"""The commands that findings advise, as they are typed."""

from __future__ import annotations

import shutil

from directrix.doctor.finding import Remedy
from directrix.doctor.served import Server, Service
from directrix.lvs import Address, ForwardingMethod, Protocol, Tunnel, TunnelFlags, TunnelType
from directrix.lvs.addresses import endpoint

QUIET = "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
"""What keeps a real server from answering or asking in the VIP's name."""

_TABLE = "directrix_doctor"

_USUAL = {80: (8080, 8000, 8008, 81, 8081, 8888, 3000, 5000), 8080: (80, 8000, 8081), 443: (8443, 4443), 8443: (443,)}


def usual_ports(port: int) -> list[int]:
    """Other ports on which what belongs on a port is often found; for all, those 8000 and 10000 higher."""
    higher = [other for other in (port + 8000, port + 10_000) if other < 65536]
    return [*_USUAL.get(port, ()), *higher]


def announce(*vips: Address, on: str = "") -> Remedy:
    """Have the director tell everybody that it has VIPs: who knows them at another host keeps to that one otherwise."""
    return Remedy(f"directrix director announce --vip {' '.join(map(str, vips))}", on, safe=True)


def single(address: Address) -> str:
    """An address as the only one of its network."""
    return f"{address}/{address.max_prefixlen}"


def carry_vip(vip: Address, on: str = "") -> list[Remedy]:
    """Give a real server its VIP; quiet first, so that it never answers for it."""
    quiet = [Remedy(QUIET, on, safe=True)] if vip.version == 4 else []
    return [*quiet, Remedy(f"ip address replace {on_loopback(vip)}", on, safe=True)]


def on_loopback(vip: Address) -> str:
    """A real server's VIP as `directrix realserver start` gives it to lo: never chosen for its own connections."""
    return f"{single(vip)} dev lo {'scope host' if vip.version == 4 else 'nodad preferred_lft 0'}"


def on_director(vip: Address, interface: str) -> str:
    """A director's VIP, on an interface: over IPv6 never chosen for its own connections, as IPv4 doesn't."""
    return f"{single(vip)} dev {interface}" + (" preferred_lft 0" if vip.version == 6 else "")


def redirect(service: Service, port: int | None = None, on: str = "") -> Remedy:
    """Have a real server take what is for a service by the RIP, or by another port."""
    family, protocol = "ip" if service.vip.version == 4 else "ip6", service.protocol.name.lower()
    target = f"redirect to :{port}" if port else "redirect"
    if not on and shutil.which("nft") is None and shutil.which("iptables"):
        program = "iptables" if family == "ip" else "ip6tables"
        match = f"-d {service.vip} -p {protocol} --dport {service.port}"
        to = f" --to-ports {port}" if port else ""
        return Remedy(f"{program} -t nat -I PREROUTING {match} -j REDIRECT{to}", safe=port is None)
    match = f"{family} daddr {service.vip} {protocol} dport {service.port} {target}"
    chain = f"chain prerouting {{ type nat hook prerouting priority dstnat; {match}; }};"
    return Remedy(f"nft 'table {family} {_TABLE} {{ {chain} }}'", on, safe=port is None)


def quiesce(service: Service, server: Server) -> Remedy:
    """Take a real server out of rotation at the director."""
    return Remedy(f"directrix ipvsadm -e {service.option} {as_options(server, weight=0)}")


def real(server: Server) -> str:
    """A real server as ipvsadm's `-r` takes it."""
    return endpoint(server.address, server.port)


def as_options(server: Server, *, port: int | None = None, weight: int | None = None) -> str:
    """A real server as ipvsadm's options, at another port or with another weight if it is given.

    An edit replaces all of it: what isn't named is back at its default.
    """
    there = endpoint(server.address, server.port if port is None else port)
    words = f"-r {there} {_method(server)} -w {server.weight if weight is None else weight}"
    if server.upper_threshold:
        words += f" -x {server.upper_threshold}"
    return f"{words} -y {server.lower_threshold}" if server.lower_threshold else words


def _method(server: Server) -> str:
    if server.method is ForwardingMethod.TUNNEL:
        return f"-i{_tunnel_options(server.tunnel)}"
    return "-m" if server.method is ForwardingMethod.MASQUERADE else "-g"


_CHECKSUMS = {TunnelFlags.CSUM: " --tun-csum", TunnelFlags.REMCSUM: " --tun-remcsum"}


def _tunnel_options(tunnel: Tunnel) -> str:
    """What says which tunnel; an edit without it means IPIP."""
    if tunnel.type is TunnelType.IPIP:
        return ""
    port = f" --tun-port {tunnel.port}" if tunnel.type is TunnelType.GUE else ""
    return f" --tun-type {tunnel.type.name.lower()}{port}{_CHECKSUMS.get(tunnel.checksum, '')}"


def take_out(service: Service, server: Server) -> Remedy:
    """Have a real server take packets for the VIP out of the tunnel it is sent."""
    tunnel = server.tunnel
    kind = tunnel.type.name.lower()
    if tunnel.type is TunnelType.GUE:
        kind += f":{tunnel.port}"
    elif tunnel.type is TunnelType.GRE and tunnel.checksum:
        kind += ":csum"
    return Remedy(f"directrix realserver start --vip {service.vip} --tunnel {kind}", str(server.address))


def examine(service: Service, on: Address, client: Address | None = None) -> Remedy:
    """Look on a real server itself, and mend there what is safe."""
    named = f"{'' if service.protocol is Protocol.TCP else f'{service.protocol.name.lower()}:'}{service.destination}"
    words = f"--role realserver --service {named}" + (f" --client {client}" if client else "")
    return Remedy(f"directrix doctor {words} --fix --yes", str(on))


def set_mtu(address: Address, mtu: int) -> Remedy:
    """Set the MTU of the interface on which another host has an address."""
    device = f"$(ip -oneline address show to {address} | awk '{{print $2; exit}}')"
    return Remedy(f"ip link set dev {device} mtu {mtu}", str(address))
