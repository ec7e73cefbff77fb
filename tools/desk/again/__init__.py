"""Tickets that have an answer: which of them to ask again, what that would cost, and asking."""
