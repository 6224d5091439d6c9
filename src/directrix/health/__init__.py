"""Passive health: which real server is to be taken out because its clients' connections don't complete."""
