"""`make tickets-export`: the tickets of a deployed stack, with their answers, as a file."""
