"""The run table: the lock, the batches of each run, what may still be spent."""
