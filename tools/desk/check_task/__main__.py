"""`python -m tools.desk.check_task [TASK] [--model MODEL]`: no cloud, nothing is sent.

Exit codes: 0 the task fits, 2 it does not.
"""

import argparse
import json
import sys

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from nightshift.dry_run.forecast import answer_tokens, fixed_tokens
from nightshift.errors import PriceUnknown, SettingsInvalid
from nightshift.task.request import template_for, version_of
from nightshift.task.task import DEFAULT, TASKS, Task, check_room, load, schema_for_editors
from tools.desk import DEFAULT_MODEL

FITS, UNUSABLE = 0, 2
SCHEMA_FILE = TASKS / "task.schema.json"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(highlight=False)
    if options.write_schema:
        SCHEMA_FILE.write_text(editor_schema(), encoding="utf-8")
        console.print(f" Written: {SCHEMA_FILE.name}")
        return FITS
    try:
        task = load(options.task)
        task.price_table.of(options.model)
        check_room(task, options.model)
    except (SettingsInvalid, PriceUnknown) as error:
        console.print(Text(f" {error}", "red"))
        return UNUSABLE
    console.print(shown(task, options.model))
    return FITS


def editor_schema() -> str:
    """The content of the schema file."""
    return json.dumps(schema_for_editors(), indent=2, ensure_ascii=False) + "\n"


def shown(task: Task, model: str) -> RenderableType:
    """What a request will look like, and what an answer must be."""
    example = task.message_for([(f"<{name}>", False) for name in task.inputs]) or ""
    parts: list[RenderableType] = [
        Text(f"{task.name} fits.", "bold green"),
        _numbers(task, model),
        _title("System prompt"),
        Text(task.system_prompt),
        _title("Message, with the names of the inputs in their places"),
        Text(example.replace("\u2039", "<")),
    ]
    if task.contract.schema is not None:
        parts += [_title("Schema of the answer"), Text(json.dumps(task.contract.schema, indent=2))]
    return Padding(Group(*parts), (1, 1))


def _numbers(task: Task, model: str) -> RenderableType:
    price = task.price_table.of(model)
    template = template_for(task, model)
    asked = "a JSON object" if task.contract.schema else "a bare word"
    rows = (
        ("version", version_of(task, model)),
        ("inputs", ", ".join(f"{name} ({most:,})" for name, most in task.input.items())),
        ("outputs", ", ".join(f"{name} ({each.type})" for name, each in task.output.items())),
        ("redacted", ", ".join(task.redact) or "nothing"),
        ("answer", f"{asked}, {task.contract.longest:,} characters at most, {task.max_tokens:,} "
                   "tokens are allowed"),
        ("tokens", f"about {fixed_tokens(task, price):,} of the prompt (never more than "
                   f"{template.fixed_tokens:,}), about {answer_tokens(task, price):.0f} an answer, "
                   f"by characters, for {model}"),
    )  # fmt: skip
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(name, Text(text))
    return Padding(table, (1, 0, 0, 0))


def _title(text: str) -> RenderableType:
    return Padding(Rule(Text(text, "bold"), align="left", style="dim"), (1, 0, 0, 0))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make check-task", description="Whether a task fits. Nothing is sent."
    )
    parser.add_argument(
        "task",
        nargs="?",
        default=DEFAULT,
        help="a name in tasks/, or the path of a TOML file (default: %(default)s)",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="(default: %(default)s)")
    parser.add_argument(
        "--write-schema", action="store_true", help="write the JSON schema for editors anew"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
