"""Real servers leave and come back without anybody noticing: drained before they go, with a weight that grows when back."""
