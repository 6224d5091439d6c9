"""Real servers leave and come back without pain: drained before they go, with a growing weight when they return."""
