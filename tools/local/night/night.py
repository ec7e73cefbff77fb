"""The story of one night on this machine, from a file of tickets to a summary."""

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from nightshift.task.task import Task
from tools.desk.files.tickets import Findings, Source, check, read
from tools.local.cloud.cloud import LocalCloud, local_cloud
from tools.local.cloud.stack import build, deploy, with_tasks
from tools.local.night import keep
from tools.local.night.claude import REGION_OF_WORKSPACE, Claude, stand_in
from tools.local.night.kept import stay_up
from tools.local.night.load import load
from tools.local.night.screen import WIDEST, readable, step, timed
from tools.local.night.summary import BAD_LINES_SHOWN, Night, summary
from tools.local.night.watch import Ending, Watched, follow
from tools.words import count

STACK = "nightshift"
STAND_IN = "Claude was played by a stand-in, by keywords or by chance; nothing was charged."
LOG_LINES_SHOWN = 8


@dataclass(frozen=True)
class Asked:
    """What a person wants to see run: tickets, and the task for them; the task's file, if that is
    not one of the package; a model, if not the template's; the real Claude, if not the stand-in;
    the local cloud afterwards."""

    tickets: Source
    task_file: Path | None = None
    model: str | None = None
    real: Claude | None = None
    keep: bool = False
    through_aws: bool = False

    @property
    def task(self) -> Task:
        return self.tickets.task


def run(asked: Asked, directory: Path, console: Console) -> bool:
    """Run a night; True if it was a good one.

    What stays of it lies in `directory`. Raises UnusableFile, ClaudeMissing, LocalCloudFailed.
    """
    task, real = asked.task, asked.real
    findings = _check(asked.tickets, directory, console)
    with (
        _claude(asked, directory, console) as claude,
        _stack(claude, asked, directory, console) as (cloud, outputs),
    ):
        with step(console, "Load") as done:
            table = outputs["TicketTableName"]
            loaded = load(cloud.client("dynamodb"), table, read(asked.tickets, Findings()))
            done.result = f"{count(loaded, 'ticket')}, all pending"
        model = _parameter(cloud, "Model")
        if real:
            budget = float(_parameter(cloud, "MaxCostUsd"))
            console.print(
                f" {count(loaded, 'ticket goes', 'tickets go')} to {model}, "
                f"for ${budget:,.2f} at most."
            )
        ending = _night(cloud, outputs, claude, console, loaded)
        with step(console, "Keep") as done:
            tickets = keep.keep_tickets(cloud, table, task, directory)
            keep.keep_run(cloud, outputs["RunTableName"], directory)
            keep.keep_report(cloud, STACK, outputs, directory, "" if real else STAND_IN)
            trouble = keep.keep_logs(cloud, STACK, directory)
            done.result = "the night as a page, the tables and the logs as files"
        good = ending.status == "SUCCEEDED"
        if good:
            night = Night(ending.output, tickets, findings, task, model, bool(real), directory)
            console.print(summary(night), width=min(console.width, WIDEST))
            good = night.is_good
        else:
            _show_failure(ending, trouble, directory, console)
        if asked.keep:
            stay_up(cloud, STACK, console)
    return good


def _check(asked: Source, directory: Path, console: Console) -> Findings:
    with step(console, "Tickets") as done:
        findings = check(asked)
        named = asked.path and not asked.is_invented
        where = f"in {asked.path.name}" if asked.path and named else "invented ones"
        read_as = f", read as {findings.encoding}" if findings.encoding else ""
        done.result = f"{findings.tickets:,} {where}{read_as}"
    for name in keep.FILES:  # of the last night
        (directory / name).unlink(missing_ok=True)
    if findings.bad_lines:
        lines = [f"line {line}: {reason}" for line, reason in findings.bad_lines]
        (directory / keep.BAD_LINES).write_text("\n".join(lines) + "\n")
        more = len(lines) - BAD_LINES_SHOWN
        lines[BAD_LINES_SHOWN:] = [f"and {more:,} more lines"] if more > 0 else []
        text = Text("\n".join(f"left out: {line}" for line in lines), "yellow")
        console.print(Padding(text, (0, 1, 0, 3)), width=min(console.width, WIDEST))
    return findings


@contextmanager
def _claude(asked: Asked, directory: Path, console: Console) -> Iterator[Claude]:
    real, region = asked.real, REGION_OF_WORKSPACE if asked.through_aws else ""
    with ExitStack() as started:
        with step(console, "Claude") as done:
            claude = real or started.enter_context(stand_in(directory / keep.CLAUDE_LOG, region))
            done.result = "the real one: it costs money" if real else "a stand-in; it costs nothing"
            if region:
                done.result += "; it takes no key, only what the functions' roles sign"
        yield claude


@contextmanager
def _stack(
    claude: Claude, asked: Asked, directory: Path, console: Console
) -> Iterator[tuple[LocalCloud, dict[str, str]]]:
    """The stack in a local cloud, with a way to Claude, and its outputs."""
    with ExitStack() as started:
        with step(console, "AWS") as done:
            # Only where policies count has a function's role credentials of its own.
            enforced = {"AUTH": "true"} if claude.region else None
            starting = local_cloud(
                directory / "cloud", wait_scale=claude.wait_scale, settings=enforced
            )
            cloud = started.enter_context(starting)
            done.result = "a local one; no account of yours can be reached"
        with step(console, "Build", "a minute, the first time") as done:
            template = build(cloud)
            done.result = "sam build"
            if asked.task_file:
                template = with_tasks(template, [asked.task_file], directory / "project")
                done.result += f", and {asked.task_file.name} added to the copy"
        with step(console, "Deploy") as done:
            outputs = deploy(cloud, STACK, template, _parameters(claude, asked))
            claude.let_in(cloud, outputs)
            done.result = f"sam deploy, the same stack as for AWS: {STACK}"
        yield cloud, outputs


def _parameters(claude: Claude, asked: Asked) -> dict[str, str]:
    arm = platform.machine().lower() in ("arm64", "aarch64")
    chosen = {"Model": asked.model} if asked.model else {}
    return (
        chosen
        | claude.parameters
        | {
            "Task": asked.task.name,
            "Architecture": "arm64" if arm else "x86_64",
            "ScheduleState": "DISABLED",
        }
    )


def _parameter(cloud: LocalCloud, name: str) -> str:
    """A parameter's value in the deployed stack."""
    [stack] = cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    return str(values[name])


def _night(
    cloud: LocalCloud, outputs: dict[str, str], claude: Claude, console: Console, tickets: int
) -> Ending:
    with timed(console, "Night") as done:
        watched = Watched.start(cloud, outputs)
        with _nothing_paid_for_nobody(watched, claude, console):
            ending = follow(watched, console, tickets)
        done.result = f"the workflow {ending.status.lower()}"
        done.good = ending.status == "SUCCEEDED"
    return ending


@contextmanager
def _nothing_paid_for_nobody(watched: Watched, claude: Claude, console: Console) -> Iterator[None]:
    """What is still open at the real Claude when we leave is canceled: its table goes with us."""
    try:
        yield
    finally:
        if claude.real and watched.uncanceled():
            console.print(" Asking Claude to cancel what is open (up to a minute) ...")
            left = watched.cancel()
            what = f"{left} may go on: cancel them in the Claude Console." if left else "Canceled."
            console.print(f" {what} What Claude had answered by then is charged.")


def _show_failure(ending: Ending, trouble: list[str], directory: Path, console: Console) -> None:
    lines = [f"✗ The night failed: {ending.error or ending.status}", ending.cause, ""]
    lines += trouble[-LOG_LINES_SHOWN:]
    lines += ["", f"All logs are in {directory}: {keep.FUNCTIONS_LOG}, {keep.CLOUD_LOG}"]
    if (directory / keep.REPORT).exists():
        lines.append(f"What happened, and what to do: {(directory / keep.REPORT).as_uri()}")
    console.print(Text("\n".join(readable(line) for line in lines), "red"))
