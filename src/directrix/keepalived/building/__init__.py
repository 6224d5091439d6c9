"""From fields to values: defaults filled in, names looked up, and everything checked that takes more than one word."""
