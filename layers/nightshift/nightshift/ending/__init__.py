"""How a run ends, and what it came to, as people read it."""
