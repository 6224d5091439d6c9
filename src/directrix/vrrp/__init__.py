"""VRRP: which of several machines holds the virtual addresses.

Three layers, each usable without the next:

- Pure, with `now` as an argument: `packet`, `datagram` (bytes), `admission` (what is heard), `states` (the table),
  `router` (one virtual router), `routers` (all of them, groups, what is tracked), `effects` (what they want done).
- What carries effects out: `channels` (sockets), `interfaces` (the kernel's links and addresses), `addresses`,
  `virtual_macs`, `announcer`, `notifications`, `watching`.
- `service`: both joined on an asyncio loop.

RFC 3768 (version 2), RFC 5798 (version 3), and keepalived where the RFCs are silent or it differs from them.
"""
