"""What can be wrong with a file of tickets."""


class UnusableFile(Exception):
    """There is nothing to work with; the message says why and what to do."""


class BadLine(Exception):
    """One line cannot be used; the message says why, without its text."""
