"""The benchmark: Nightshift's own code beside the plain way, measured in one run on one machine.

`python -m tests.bench` prints a table for each subject, with the target and whether it holds, and
leaves the numbers and a plot in `.build/bench/`.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
OUTPUT = REPOSITORY / ".build" / "bench"
