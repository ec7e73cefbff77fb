"""`make quality`: how often people changed what Nightshift had answered, and what they decided."""
