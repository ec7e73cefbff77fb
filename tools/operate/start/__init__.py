"""`make start`: a night of a deployed stack, started by hand and followed to its end."""
