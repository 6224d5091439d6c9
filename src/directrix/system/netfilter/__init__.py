"""What netfilter's rules would do with a packet, told from their listings; no packet is sent.

`packet.py` is what is known of a packet, `conditions.py` whether a rule's condition is met by it, `ruleset.py`
follows it through the chains. `reading.py` makes a ruleset of nft's listing, for iptables' rules by the help of
`iptables.py`; `listing.py` asks this host for them. `obstacles.py` finds the rules in the way of an address.

A condition on something that can't be known of a packet not yet here (its source, a rate, a counter) is neither met nor
unmet. Doubt speaks for the rules: with such a condition a rule that accepts counts, and one that drops is only
noted. So what is told to happen, happens to every such packet.
"""
