"""How right the answers are, and how sure that is. Pure."""
