"""`make run`: a whole night on this machine, with a local AWS and a stand-in for Claude."""
