"""The samples of the shipped tasks that do not sort tickets: `tasks/` has a file of items for each.

The items are invented, as are all people, companies and addresses in them. They are in several
languages, and some are odd on purpose: without text, in HTML, too long, with orders to the model.
"""

import json
from pathlib import Path

from nightshift.task.task import Task

FOLDER = Path(__file__).parent / "tasks"


def file_for(task: Task) -> Path | None:
    """The sample that is called like a task and has something for it to read; None without one."""
    path = FOLDER / f"{task.name}.jsonl"
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    there = {name for line in lines for name in json.loads(line)}
    return path if there & task.input.keys() else None


def is_invented(path: Path) -> bool:
    """Whether a file of items is one of these samples."""
    return path.parent == FOLDER
