"""Which outputs of a ticket Claude left to a person. Pure.

Only labels can be left to one today (`unsure` in the task file).
"""

from collections.abc import Mapping

from nightshift.task.outputs import Label
from nightshift.task.task import Task
from nightshift.tickets.attribute import Attribute
from nightshift.tickets.ticket import last_answer


def in_doubt(task: Task, attributes: Mapping[str, Attribute | None]) -> tuple[str, ...]:
    """The labels that are no part of a ticket's last answer, from the attributes of `marks_of`.

    Of a task that leaves nothing to a person any more, all the labels that were not written.
    """
    written = last_answer(attributes, task.output)
    missing = {
        name: output
        for name, output in task.output.items()
        if isinstance(output, Label) and name not in written
    }
    unsure = tuple(name for name, label in missing.items() if label.unsure)
    return unsure or tuple(missing)
