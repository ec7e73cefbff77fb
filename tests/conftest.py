"""What all tests share: examples that are the same in every run, and no clock on them."""

from hypothesis import HealthCheck, settings

# Derandomized: a red build stays red until someone mends it. Neither a deadline nor a complaint
# about slow examples: machines differ.
settings.register_profile(
    "nightshift",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nightshift")
