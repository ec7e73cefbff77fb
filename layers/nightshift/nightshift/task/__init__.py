"""What is asked of a ticket, and what an answer says. Pure."""
