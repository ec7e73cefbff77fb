"""Nightshift: classifies a helpdesk's tickets overnight through Claude's Message Batches API."""
