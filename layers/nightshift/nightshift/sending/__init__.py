"""Pending tickets into one batch at the provider, sent once."""
