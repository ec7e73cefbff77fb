"""For whoever has a file of tickets: what they would cost."""
