"""The language of mark rules: the words of `directrix mark`, its listings, what it saves and restores."""
