"""README and docs: one page to start with, links that lead somewhere, a row for all one can meet.

What the template, the package and the Makefile name stands in the docs, and the other way round.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from nightshift import errors
from nightshift.ending import mail, report
from nightshift.ending.report import Ending
from nightshift.events import RunInput
from nightshift.runs import ledger
from nightshift.runs.records import Run
from nightshift.task.outputs import Output
from nightshift.task.task import DEFAULT, Task, load
from tools.desk.check_task import __main__ as check_task
from tools.desk.cost import __main__ as cost_of_tickets
from tools.local.sample import shipped

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
OPERATE = ROOT / "docs" / "operate.md"
TASKS = ROOT / "docs" / "tasks.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# Between pairs of backticks, in text and in tables; never across lines.
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def links(page: Path) -> Iterator[str]:
    for inline, reference in LINK.findall(prose(page)):
        target = inline or reference
        if not re.match(r"https?://", target):
            yield target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    level, title = heading.split(" ", 1)
    found = re.search(
        rf"^{level} {re.escape(title)}$(.*?)(?=^#{{2,{len(level)}}} |\Z)",
        page.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{page.name} has no {heading!r}"
    return found[1]


def first_cells(text: str) -> set[str]:
    """All that is named as code in the first column of the tables of a text."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return {name for row in rows for name in CODE.findall(row.split(" | ")[0])}


def test_the_readme_is_one_page() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_readme_leads_to_every_page() -> None:
    led_to = {(ROOT / link.partition("#")[0]).resolve() for link in links(README)}

    assert set(PAGES) - {README} <= led_to


def test_every_picture_is_shown_and_small() -> None:
    pictures = set((ROOT / "docs").glob("*.png"))
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}

    assert pictures
    assert pictures <= shown
    assert [each.name for each in pictures if each.stat().st_size > 200_000] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_is_one(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)\)", makefile))
    commands = re.findall(r"^[^#\n]*?\bmake ([a-z-]+)((?: [A-Z_]+=\S+)*)", code(page), re.MULTILINE)

    for target, given in commands:
        assert target in targets, target
        assert set(re.findall(r"([A-Z_]+)=", given)) <= variables, given


def code(page: Path) -> str:
    """Everything on a page that is set as code, a line each."""
    text = page.read_text()
    blocks = [block for _, block in FENCED.findall(text)]
    return "\n".join([*blocks, *CODE.findall(prose(page))])


def test_the_commands_of_operators_are_told() -> None:
    told = "\n".join(map(code, PAGES))
    commands = ["run", "test", "cost", "check-task", "bench", "crash-proof", "clean"]

    for command in [
        *commands,
        "nights",
        "start",
        "night-report",
        "tickets-failed",
        "tickets-retry",
        "review",
        "quality",
        "corrections",
    ]:
        assert re.search(rf"\bmake {command}\b", told), command


def test_every_alarm_has_a_row(resources: Any) -> None:
    alarms = {n for n, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    told = {name for name in first_cells(section(OPERATE, "## Alarms")) if name.isidentifier()}

    assert told == alarms


OURS = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, errors.NightshiftError)
][1:]


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.__name__)
def test_every_error_has_a_row_in_its_own_words(error: type[errors.NightshiftError]) -> None:
    rows = section(OPERATE, "## Red nights").splitlines()

    [row] = [row for row in rows if row.startswith(f"| `{error.__name__}`")]

    _, _, happened, advice, _ = row.split("|")
    assert happened.strip() == error.happened
    assert advice.strip().startswith(error.advice)


def test_every_reason_of_a_partial_night_has_a_row() -> None:
    assert mail._WHY.keys() <= first_cells(section(OPERATE, "## The output"))


def test_every_key_of_the_output_has_a_row() -> None:
    output = report.flat(Run("2026-11-22"), Ending("complete"), 0, datetime.now(UTC))
    only_where_answers_are_known = {"gold", "correct"}

    told = first_cells(section(OPERATE, "## The output"))
    assert output.keys() | only_where_answers_are_known <= told


def test_every_key_that_the_run_s_item_keeps_beside_the_output_is_told() -> None:
    told = CODE.findall(section(OPERATE, "### The report"))

    assert set(told) >= report.DETAILS


def test_every_parameter_has_a_row_with_its_default(template: Any) -> None:
    text = section(OPERATE, "## Parameters")
    parameters = template["Parameters"]

    assert first_cells(text) == parameters.keys()
    for row in [line for line in text.splitlines() if line.startswith("| `")]:
        names, defaults, _ = row.split(" | ", 2)
        for name in CODE.findall(names):
            default = str(parameters[name]["Default"])
            assert (default in defaults) if default else ("none" in defaults), name


def test_every_input_is_told() -> None:
    told = section(OPERATE, "## Start by hand")

    for name in RunInput.model_fields:
        assert f'"{name}"' in told, name
    actions = set(get_args(RunInput.model_fields["action"].annotation)) - {"classify"}
    for action in actions:
        assert f'{{"action": "{action}"}}' in told, action


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_output_of_the_stack_that_a_command_takes_is_one(template: Any, page: Path) -> None:
    taken = set(re.findall(r"<([A-Z]\w+)>", code(page)))

    assert taken <= template["Outputs"].keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_event_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"events/[\w-]+\.json", code(page))

    assert [each for each in named if not (ROOT / each).exists()] == []


# What the tables of a task that the docs show alone are added to.
A_TASK = """
system = "{answer}"
message = "{text}"
max_tokens = 5000

[input]
text = 500

[output.good]
type = "boolean"

"""
SHOWN = [block for language, block in FENCED.findall(TASKS.read_text()) if language == "toml"]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.splitlines()[0])
def test_every_task_that_is_shown_loads(shown: str, tmp_path: Path) -> None:
    is_whole = "system" in tomllib.loads(shown)
    file = tmp_path / "shown.toml"
    file.write_text(shown if is_whole else A_TASK + shown)

    assert load(str(file)).name == "shown"


def test_the_whole_task_that_is_shown_has_an_output_of_every_type(tmp_path: Path) -> None:
    [whole] = [block for _, block in FENCED.findall(section(TASKS, "## A whole file"))]
    file = tmp_path / "whole.toml"
    file.write_text(whole)

    assert {type(output) for output in load(str(file)).output.values()} == set(OUTPUT_TYPES)


FIRST_TASK = section(TASKS, "## Your first task, in ten minutes")


@pytest.fixture
def first_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that a newcomer is told to write."""
    [task] = [block for language, block in FENCED.findall(FIRST_TASK) if language == "toml"]
    [items] = [block for language, block in FENCED.findall(FIRST_TASK) if language == "json"]
    (tmp_path / "app-reviews.toml").write_text(task)
    (tmp_path / "app-reviews.jsonl").write_text(items)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    load.cache_clear()  # it knows files by their names
    return tmp_path


def shown_lines(said: str) -> list[str]:
    return [line.rstrip() for line in said.splitlines() if line.strip()]


def test_what_the_commands_of_the_first_task_say_is_what_is_shown(
    first_task: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, prompt, cost, _ = (
        shown_lines(block) for language, block in FENCED.findall(FIRST_TASK) if language == "text"
    )

    assert check_task.main(["app-reviews.toml"]) == 0
    said = shown_lines(capsys.readouterr().out)
    assert checked == said[: len(checked)]
    assert "\n".join(prompt) in "\n".join(said)

    options = ["--task", "app-reviews.toml", "--tickets", "app-reviews.jsonl"]
    monkeypatch.setattr(sys, "argv", ["cost", *options])
    assert cost_of_tickets.main() == 0
    assert cost == shown_lines(capsys.readouterr().out)[: len(cost)]


def test_a_mistake_in_the_first_task_is_told_as_the_page_says(
    first_task: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    good = (first_task / "app-reviews.toml").read_text()
    mistakes = [("{answer}", ""), ("{text}", "{texts}"), ("max_tokens = 200", "max_tokens = 100")]
    told = [line for line in FIRST_TASK.splitlines() if "| `Task file" in line]

    for (right, wrong), row in zip(mistakes, told, strict=True):
        (first_task / "app-reviews.toml").write_text(good.replace(right, wrong))
        load.cache_clear()
        assert check_task.main(["app-reviews.toml"]) == 2
        assert capsys.readouterr().out.strip() == row.split(" | `")[1].removesuffix("` |")


def test_every_shipped_task_has_a_row_and_a_section_that_name_what_it_reads_and_writes() -> None:
    text = section(TASKS, "## The shipped tasks")
    names = [DEFAULT, *sorted(path.stem for path in shipped.FOLDER.glob("*.jsonl"))]

    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| [`")}
    assert rows.keys() == set(names)
    for name in names:
        task, told = load(name), section(TASKS, f"### {name}")
        _, _, reads, writes, *_ = rows[name].split("|")
        assert (CODE.findall(reads), CODE.findall(writes)) == (list(task.input), list(task.output))
        limits = {f"{most:,}" for most in task.input.values()}
        assert limits <= set(re.findall(r"[\d,]*\d", told)), name
        assert set(task.output) <= set(CODE.findall(told)), name


@pytest.mark.parametrize(
    "name", ["ticket-classification", *(p.stem for p in shipped.FOLDER.glob("*.jsonl"))]
)
def test_the_price_of_a_thousand_is_what_the_commands_say(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = section(TASKS, "## The shipped tasks").splitlines()
    [row] = [line for line in rows if line.startswith(f"| [`{name}`]")]
    monkeypatch.setattr(sys, "argv", ["cost", "--task", name])

    assert cost_of_tickets.main() == 0

    [thousand] = re.findall(r"A thousand such .*: (\$\S+)\.", capsys.readouterr().out)
    assert row.split("|")[4].strip() == thousand


OUTPUT_TYPES = get_args(get_args(Output.__value__)[0])


def test_every_key_of_a_task_has_a_row() -> None:
    rows = first_cells(section(TASKS, "## The keys"))
    told = {re.sub(r"\.NAME|[\[\]]", "", name) for name in rows}

    assert told == Task.model_fields.keys() - {"name"}


@pytest.mark.parametrize("output", OUTPUT_TYPES, ids=lambda output: output.__name__)
def test_every_type_of_output_has_rows_with_its_keys(output: Any) -> None:
    [name] = get_args(output.model_fields["type"].annotation)
    rows = section(TASKS, "## Outputs").splitlines()

    asked, checked = [row for row in rows if row.startswith(f"| `{name}` |")]

    keys = asked.split(" | ")[1]
    assert set(CODE.findall(keys)) == output.model_fields.keys() - {"type", "about"}
    assert checked


DATA = ROOT / "docs" / "data.md"


def test_every_statement_about_data_names_a_test_that_exists() -> None:
    named = re.findall(r"`([a-z_]+/test_\w+\.py)::(test_\w+)`", DATA.read_text())

    assert len(named) > 20
    for path, test in named:
        assert f"def {test}(" in (ROOT / "tests" / path).read_text(), test


def test_every_page_that_the_page_of_data_leans_on_has_its_month() -> None:
    page = DATA.read_text()
    sources = re.findall(r"^\[(\w+)\]: https://", page, re.MULTILINE)

    assert len(sources) > 5
    for source in sources:
        used = re.findall(rf"\[{source}\](.{{10}})", page.replace("\n", " "))
        assert [after for after in used if after.startswith((", 20", ": http"))] == used, source


def test_what_is_kept_is_kept_as_long_as_the_page_of_data_says(resources: Any) -> None:
    told = section(DATA, "## What stays where, and how long")
    logs = {n: each for n, each in resources.items() if each["Type"] == "AWS::Logs::LogGroup"}
    days = {name: each["Properties"]["RetentionInDays"] for name, each in logs.items()}
    queue = resources["MissedNights"]["Properties"]

    assert {days[name] for name in ("SubmitLogs", "StatusLogs", "CollectLogs")} == {30}
    assert days["WorkflowLogs"] == 90
    assert "| ids, counts, errors | 30 days; 90 days |" in told
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert "no ticket | 14 days |" in told
    assert ledger.KEEP_DAYS == 90
    assert "no text of a ticket | 90 days;" in told


def test_the_template_names_no_region() -> None:
    text = (ROOT / "template.yaml").read_text() + (ROOT / "workflow.asl.yaml").read_text()

    assert re.findall(r"\b(?:af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d\b", text) == []
