"""The table of the kernel's own IPVS, spoken to over generic netlink."""

from directrix.table.ipvs.opening import open_ipvs
from directrix.table.ipvs.table import IpvsTable

__all__ = ["IpvsTable", "open_ipvs"]
