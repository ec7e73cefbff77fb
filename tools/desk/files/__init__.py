"""Files of tickets: their encoding, their rows, their columns, and the tickets in them.

Every command that reads a file of tickets reads it here.
"""
