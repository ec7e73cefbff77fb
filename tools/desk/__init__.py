"""For whoever has tickets or a task: files in and out, what they cost, and how right a task is."""

DEFAULT_MODEL = "claude-haiku-4-5"
"""The model of a stack that names none: the default of the template's parameter `Model`."""
