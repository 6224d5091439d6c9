"""`directrix explain`: what the director would do with a packet, and why."""
