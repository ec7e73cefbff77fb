"""Right and wrong answers as the pages draw them."""

from dataclasses import dataclass

from nightshift.quality.gold import UNKNOWN

NOT_OF_THE_TASK = "(not a value of the task)"


@dataclass(frozen=True)
class Confusion:
    """So often one class was answered where another was right."""

    expected: str
    answered: str
    tickets: int


def named(class_name: str) -> str:
    """A class as people read it."""
    return NOT_OF_THE_TASK if class_name == UNKNOWN else class_name
