"""What a file of tickets would cost: every model side by side, in batches and in real time.

`make cost`, or `python -m tools.desk.cost --help`. Nothing is started, and nothing leaves the
machine.
"""
