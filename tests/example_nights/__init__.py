"""Five nights as the real use cases leave them, each in a second: for tests, and to look at.

`python -m tests.example_nights` writes their records and their pages.
"""
