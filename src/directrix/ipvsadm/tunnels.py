"""The words of a tunnel's checksum."""

from __future__ import annotations

from typing import Final

from directrix.lvs import TunnelFlags

CHECKSUM_OPTIONS: Final = {
    TunnelFlags.NOCSUM: "--tun-nocsum",
    TunnelFlags.CSUM: "--tun-csum",
    TunnelFlags.REMCSUM: "--tun-remcsum",
}
CHECKSUM_MARKS: Final = {TunnelFlags.NOCSUM: "-c", TunnelFlags.CSUM: "+c", TunnelFlags.REMCSUM: "r+c"}
