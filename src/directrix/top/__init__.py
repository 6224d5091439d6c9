"""`directrix top`: the table as a live view. From values to lines everything is pure; the terminal stands beside it."""
