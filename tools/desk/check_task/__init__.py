"""`make check-task`: whether a task file fits, and what it makes of a ticket."""
