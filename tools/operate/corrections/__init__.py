"""`make corrections`: answers that people corrected, as `[[examples]]` for the task file."""
