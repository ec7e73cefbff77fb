"""`make night-report`: one run as one self-contained page."""
