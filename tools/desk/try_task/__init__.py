"""A few tickets of a file, asked in real time: `make try`, before the first deploy."""
