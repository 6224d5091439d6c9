"""What Linux gives us, typed."""
