"""The daemon: joins configuration, checks, VRRP and the table."""
