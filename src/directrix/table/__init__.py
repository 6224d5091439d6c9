"""The virtual server table: one interface, several makes."""
