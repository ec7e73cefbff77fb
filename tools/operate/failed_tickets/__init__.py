"""`make tickets-failed` and `make tickets-retry`: what was given up, and asking for it again."""
