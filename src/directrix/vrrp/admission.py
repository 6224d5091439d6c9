"""What is checked of every packet before it is heard: RFC 3768 section 7.1, RFC 5798 section 7.1, keepalived's own.

One `Admission` belongs to each instance. It remembers what checks need: AH's sequence, whether peers sum their
packets in the old way, and whose addresses were compared already.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from directrix.lvs.addresses import Address
from directrix.vrrp.bad_packet import BadPacket, Cause
from directrix.vrrp.configuration import Instance
from directrix.vrrp.datagram import Datagram, Sequence, sign
from directrix.vrrp.packet import Advertisement, decode, is_intact
from directrix.vrrp.values import AuthenticationType, OldChecksum

_TTL = 255


class Admission:
    """The gate of one virtual router.

    Attributes:
        instance: what packets are held against; may be replaced by another of the same key.
        sequence: of AH, used for sending too.
        old_checksum: unicast adverts of version 3 are summed as if they were multicast, in both directions.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.sequence = Sequence()
        self.old_checksum = instance.old_checksum is OldChecksum.ALWAYS
        self._compared: tuple[Address, tuple[Address, ...]] | None = None

    def admit(self, datagram: Datagram, own: Collection[Address] = ()) -> Advertisement:
        """The advert in a datagram for this virtual router; `own` are the addresses it sends from itself.

        Raises:
            BadPacket: it must not be heard, and why.
        """
        if datagram.source in own:
            raise BadPacket(Cause.OWN, f"sent from {datagram.source}, which is ours")
        self._check_way(datagram)
        self._check_header(datagram)
        advertisement = decode(datagram.message, datagram.family)
        self._check_version(advertisement)
        if advertisement.vrid != self.instance.vrid:
            raise BadPacket(Cause.VRID, f"for virtual router {advertisement.vrid}, and this is {self.instance.vrid}")
        self._check_checksum(datagram, advertisement.version)
        if advertisement.version == 2:
            self._check_authentication(advertisement)
            if advertisement.interval != self.instance.interval:
                theirs, ours = advertisement.interval // 100, self.instance.interval // 100
                raise BadPacket(Cause.INTERVAL, f"an interval of {theirs} s, and ours is {ours} s")
        self._check_addresses(datagram.source, advertisement)
        if datagram.signature is not None and not self.sequence.accept(datagram.signature.sequence):
            explanation = f"sequence number {datagram.signature.sequence}, and {self.sequence.last} was there before"
            raise BadPacket(Cause.REPLAY, explanation)
        return advertisement

    def _check_way(self, datagram: Datagram) -> None:
        """Multicast or unicast, from whom, over how many routers."""
        multicast = datagram.destination.is_multicast
        if multicast == bool(self.instance.peers):
            came, wanted = ("multicast", "unicast") if multicast else ("unicast", "multicast")
            raise BadPacket(Cause.CAST, f"by {came}, and we expect {wanted}")
        if multicast:
            if datagram.ttl != _TTL:
                raise BadPacket(Cause.TTL, f"TTL {datagram.ttl}: only {_TTL} is from this network")
            return
        peer = next((peer for peer in self.instance.peers if peer.address == datagram.source), None)
        if peer is None:
            if self.instance.check_unicast_source:
                raise BadPacket(Cause.PEER, f"from {datagram.source}, which is no peer")
        elif not peer.min_ttl <= datagram.ttl <= peer.max_ttl:
            raise BadPacket(Cause.TTL, f"TTL {datagram.ttl}: from this peer it is {peer.min_ttl} to {peer.max_ttl}")

    def _check_header(self, datagram: Datagram) -> None:
        """An Authentication Header where there must be one, rightly signed; its sequence number is checked last."""
        authentication = self.instance.authentication
        signed = authentication is not None and authentication.type is AuthenticationType.AH
        if datagram.signature is None:
            if signed:
                raise BadPacket(Cause.AUTH_HEADER, "without authentication header, and we expect AH")
            return
        if authentication is None or not signed:
            raise BadPacket(Cause.AUTH_HEADER, "with authentication header, and we expect none")
        value = sign(datagram.raw, authentication.data, unicast=bool(self.instance.peers))
        if not hmac.compare_digest(value, datagram.signature.value):
            raise BadPacket(Cause.AUTH_FAILURE, "signed with another password, or changed on the way")
        if datagram.signature.index != datagram.source.packed:
            raise BadPacket(Cause.AUTH_FAILURE, "signed for another sender")

    def _check_version(self, advertisement: Advertisement) -> None:
        if advertisement.version != self.instance.version:
            theirs, ours = advertisement.version, self.instance.version
            raise BadPacket(Cause.VERSION, f"version {theirs}, and we speak {ours}")

    def _check_checksum(self, datagram: Datagram, version: int) -> None:
        destination = datagram.destination
        if self.old_checksum and self.instance.peers:
            destination = self.instance.multicast_group
        if is_intact(datagram.message, datagram.source, destination):
            return
        may_be_old = version == 3 and self.instance.peers and self.instance.old_checksum is OldChecksum.DETECT
        if may_be_old and is_intact(datagram.message, datagram.source, self.instance.multicast_group):
            self.old_checksum = True
            return
        raise BadPacket(Cause.CHECKSUM, "the checksum is wrong")

    def _check_authentication(self, advertisement: Advertisement) -> None:
        ours = self.instance.authentication_type
        try:
            theirs = AuthenticationType(advertisement.auth_type)
        except ValueError:
            raise BadPacket(Cause.AUTH_TYPE, f"authentication type {advertisement.auth_type}") from None
        if theirs is not ours:
            raise BadPacket(Cause.AUTH_MISMATCH, f"authentication {theirs.name}, and ours is {ours.name}")
        password = self.instance.authentication.data if self.instance.authentication is not None else b""
        if ours is AuthenticationType.PASS and not hmac.compare_digest(advertisement.auth_data, password):
            raise BadPacket(Cause.AUTH_FAILURE, "another password")

    def _check_addresses(self, source: Address, advertisement: Advertisement) -> None:
        ours = self.instance.advertised
        if len(advertisement.addresses) != len(ours):
            raise BadPacket(Cause.ADDRESSES, f"{len(advertisement.addresses)} addresses, and we have {len(ours)}")
        if self.instance.skip_check_addresses and self._compared == (source, ours):
            return
        missing = [address for address in ours if address not in advertisement.addresses]
        if missing:
            raise BadPacket(Cause.ADDRESSES, f"without {', '.join(map(str, missing))}, which we have")
        self._compared = source, ours
