"""The crash proof: a small night that dies at every place, and still pays for nothing twice.

`make crash-proof`, or `python -m tests.crash_proof --help`. Everything runs in this process: the
real use cases against MiniStack's DynamoDB engine and the stand-in for Claude, faults between.
"""
