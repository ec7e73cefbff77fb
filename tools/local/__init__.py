"""The whole thing on a laptop: a local AWS, a stand-in for Claude, and `make run`."""
