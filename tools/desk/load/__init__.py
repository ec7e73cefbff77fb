"""`make tickets-load`: tickets of a file into the table of a deployed stack."""
