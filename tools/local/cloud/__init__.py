"""A local AWS that runs the project's own stack, without Docker."""
