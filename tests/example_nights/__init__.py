"""Five nights as the real use cases leave them: for tests, and pages to look at."""
