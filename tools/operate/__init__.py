"""What a person uses beside a deployed stack: the page of a night, and the failed tickets.

Against AWS with the credentials at hand, or, with AWS_ENDPOINT_URL, against a local cloud.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("nightshift") is None:  # on AWS the layer is on the path
    sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "nightshift"))
