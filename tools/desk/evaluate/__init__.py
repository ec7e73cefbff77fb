"""Tasks and models over a labelled file: how right, how dear, and what would change.

`make evaluate`, or `python -m tools.desk.evaluate --help`. Requests go through batches, as a night
sends them; nothing of AWS is needed.
"""
