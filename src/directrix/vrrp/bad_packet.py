"""Every cause for which a packet is not heard, each by its name."""

from __future__ import annotations

import enum


class Cause(enum.Enum):
    """Why a packet was dropped. The values are the names counters have."""

    LENGTH = "packet_length"
    """Cut off, too long, or not as long as its number of addresses asks for."""
    TTL = "ip_ttl"
    """Multicast whose TTL or hop limit isn't 255, so it came through a router; or unicast outside a peer's limits."""
    VERSION = "version"
    TYPE = "invalid_type"
    VRID = "unknown_vrid"
    """No virtual router of that id here: somebody else's, or a mistake."""
    AUTH_HEADER = "authentication_header"
    """AH where there should be none, or none where it should be."""
    AUTH_TYPE = "authentication_invalid"
    """An authentication type that doesn't exist."""
    AUTH_MISMATCH = "authentication_mismatch"
    """Another authentication type than ours."""
    AUTH_FAILURE = "authentication_failure"
    """Another password, or an AH signature that isn't right."""
    REPLAY = "authentication_replay"
    """An AH sequence number that is not above those already seen."""
    INTERVAL = "advertisements_interval"
    """Another interval than ours (version 2)."""
    CHECKSUM = "checksum"
    ADDRESSES = "address_list"
    """Other virtual addresses than ours."""
    OWN = "own"
    """Our own advert has come back: a loop in the network, or a second router with our address."""
    CAST = "unicast"
    """Unicast where we expect multicast, or the other way round."""
    PEER = "not_a_peer"
    """Unicast of somebody who is no peer, where that is checked."""


class BadPacket(Exception):
    """A packet that must not be heard."""

    def __init__(self, cause: Cause, explanation: str) -> None:
        self.cause = cause
        super().__init__(explanation)
