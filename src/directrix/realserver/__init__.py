"""The real server's half of a cluster: the VIP where packets for it are taken, and nobody told of it."""
