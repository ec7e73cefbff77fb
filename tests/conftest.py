"""What all tests share: examples that are the same in every run, and no clock on them."""

from hypothesis import settings

# Derandomized: a red build stays red until someone mends it. No deadline: machines differ.
settings.register_profile("nightshift", derandomize=True, deadline=None, database=None)
settings.load_profile("nightshift")
