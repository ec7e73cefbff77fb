"""`make review`: a page on this machine where a person decides what Claude has left to people."""
