"""The director's side by hand: its VIPs on an interface, and what must be on and off for them."""
