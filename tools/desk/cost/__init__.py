"""What a file of tickets would cost: every model side by side, in batches and in real time.

`make cost`, or `python -m tools.desk.cost --help`. Nothing is started, and nothing leaves the
machine.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("nightshift") is None:  # on AWS the layer is on the path
    sys.path.insert(0, str(Path(__file__).parents[3] / "layers" / "nightshift"))
