"""`directrix trace`: the words of its filter, and what it shows, as lines, JSON or pcapng."""
