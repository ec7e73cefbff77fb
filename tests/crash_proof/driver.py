"""The workflow, played: its states, retries and waits, one Python call for each function call."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nightshift.collect import collect
from nightshift.deployment import Deployment
from nightshift.events import CollectCall, StatusCall, SubmitCall
from nightshift.status import status
from nightshift.submit import submit
from tests.crash_proof.edges import Death, Process
from tests.crash_proof.faults import INSTEAD
from tests.crash_proof.world import World
from tests.definitions import STATES

RETRIERS = {
    "submit": STATES["Submit batches"]["Retry"],
    "status": STATES["Check status"]["Retry"],
    "collect": STATES["Collect batch"]["Retry"],
}
SET_ASIDE = STATES["Set the batch aside"]["Arguments"]
RECORD, MARK = (STATES[name]["Arguments"] for name in ("Record the failure", "Mark it as told"))
CALLS: dict[str, Callable[[Any, Deployment, World], dict[str, Any]]] = {
    "submit": lambda event, stack, _: submit(SubmitCall.parse(event), stack, lambda: 600.0),
    "status": lambda event, stack, _: status(StatusCall.parse(event), stack),
    "collect": lambda event, stack, world: collect(
        CollectCall.parse(event), stack, lambda: world.collect_seconds
    ),
}
MOST_STEPS = 2000


class Endless(AssertionError):
    """The night does not come to an end."""


@dataclass(frozen=True)
class Invoke:
    """A Task state calls its function."""

    function: str
    event: dict[str, Any]


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Error:
    """What Step Functions sees of a function that did not answer."""

    name: str
    cause: str


class Caught(Exception):
    """An error that no retry cured."""

    def __init__(self, error: Error, of_batches: bool = False) -> None:
        super().__init__(f"{error.name}: {error.cause}")
        self.error = error
        self.of_batches = of_batches


def _seen(outcome: Any) -> Any:
    """What Step Functions sees of a function's end."""
    if isinstance(outcome, Death):
        return Error("Runtime.ExitError", "the process died")
    if isinstance(outcome, BaseException):
        return Error(type(outcome).__name__, str(outcome))
    return outcome


type States = Generator[Invoke | Wait, Any, dict[str, Any]]


@dataclass
class Execution:
    """One execution: `states` asks for what comes next, `report` is its output."""

    world: World
    arn: str
    input: dict[str, Any]
    ready_at: float
    report: dict[str, Any] | None = None
    error: str = ""
    pending: Any = None
    answer: Any = None
    blocked: Process | None = None
    stepped: int = 0
    states: States = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = datetime.fromtimestamp(self.ready_at, UTC).isoformat()
        self.world.executions[self.arn] = "RUNNING"
        self.states = self._night()

    @property
    def running(self) -> bool:
        return self.world.executions[self.arn] == "RUNNING"

    @property
    def hanging(self) -> bool:
        return self.blocked is not None and self.blocked.hanging

    def run(self, until: Callable[[], object] = lambda: False, steps: int = MOST_STEPS) -> int:
        """Go to the end, or until something is so; returns how many steps that took."""
        for step in range(steps):
            if not self.running or until():
                return step
            self.world.wait_until(self.ready_at)
            self.step()
            self.ready_at = max(self.ready_at, self.world.now)
        raise Endless(f"no end after {steps} steps")

    def step(self) -> None:
        """Enter the next state; one that was redriven enters the state again that it was in."""
        try:
            if self.pending is None:
                self.pending = self.states.send(self.answer)
            if isinstance(self.pending, Wait):
                self.ready_at += self.pending.seconds
                self.answer, self.pending = None, None
            else:
                self._invoke(self.pending)
        except StopIteration as end:
            self.report = end.value
            self.world.executions[self.arn] = "SUCCEEDED"
        except Caught as caught:
            self.error = str(caught)
            self._fail(caught)

    def _fail(self, caught: Caught) -> None:
        """Record the failure, tell someone, mark it as told; or be stopped before one of these."""
        for state in (self._record, self._tell, self._mark_as_told):
            if self.world.interrupt == state.__name__:
                self.world.interrupt = ""
                self.world.executions[self.arn] = "ABORTED"
                return
            state(caught)
        self.world.executions[self.arn] = "FAILED"

    def _record(self, caught: Caught) -> None:
        values = {
            ":error": {"S": caught.error.name},
            ":cause": {"S": caught.error.cause},
            ":me": {"S": self.arn},
            ":now": {"S": datetime.fromtimestamp(self.world.now, UTC).isoformat()},
            ":of_batches": {"BOOL": caught.of_batches},
            ":expiry": {"N": str(int(self.world.now) + 7_776_000)},
        }
        self.world.update("runs", self._failure, RECORD, values)

    def _tell(self, caught: Caught) -> None:
        self.world.told.append(f"{caught.error.name}: {caught.error.cause}")

    def _mark_as_told(self, caught: Caught) -> None:
        self.world.update("runs", self._failure, MARK, {":yes": {"BOOL": True}})

    @property
    def _failure(self) -> dict[str, str]:
        run_id = self.input.get("run_id", self.started_at[:10])
        return {"run_id": run_id, "record": f"failure#{self.arn.rpartition(':')[2]}"}

    def _invoke(self, wanted: Invoke) -> None:
        """Call the function, or go on with a call that hung; no answer if we were stopped."""
        if self.blocked is None:
            self.blocked = Process(wanted.function, self.arn, self.world.now, self._work)
            self.blocked.run()
        elif self.blocked.hanging:
            self.world.wake(self.blocked)
        if not self.running:
            self.blocked = None
        elif self.blocked.hanging and self.blocked.forgotten:
            # It lives on, and Step Functions calls the function again.
            self.answer = Error("Lambda.SdkClientException", "the connection was lost")
            self.blocked, self.pending = None, None
        elif not self.blocked.hanging:
            self.answer = _seen(self.blocked.outcome)
            self.blocked, self.pending = None, None

    def _work(self, process: Process) -> Any:
        with self.world.deployment(process) as stack:
            return CALLS[process.function](self.pending.event, stack, self.world)

    # The states.

    def _night(self) -> States:
        step: dict[str, Any] = {"next": "submit"}
        while True:
            step = yield from self._task("submit", self._submit_event(step))
            if step["next"] == "report":
                break
            while step["next"] == "wait":
                yield Wait(step["wait_seconds"])
                step = yield from self._task("status", self._status_event(step))
            if step["next"] == "collect":
                for record in step["ended"]:
                    yield from self._collect(step["run_id"], record)
                step = {"next": "submit"}
        if step.get("problem"):
            said = Error(step["problem"]["error"], step["problem"]["cause"])
            raise Caught(said, of_batches=True)
        report: dict[str, Any] = step["report"]
        return report

    def _submit_event(self, step: dict[str, Any]) -> dict[str, Any]:
        given = {"execution": self.arn, "started_at": self.started_at, "input": self.input}
        return {**given, "estimate": step.get("estimate")}

    def _status_event(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"execution": self.arn, "run_id": step["run_id"], "more": step["more"]}

    def _collect(self, run_id: str, record: str) -> States:
        event = {"execution": self.arn, "run_id": run_id, "record": record}
        try:
            progress = {"next": "more"}
            while progress["next"] == "more":
                progress = yield from self._task("collect", event)
        except Caught as caught:
            self._set_aside(run_id, record, caught.error)
        return {}

    def _set_aside(self, run_id: str, record: str, error: Error) -> None:
        values = {
            ":open": {"S": "open"},
            ":closed": {"S": "closed"},
            ":me": {"S": self.arn},
            ":error": {"S": error.name},
            ":cause": {"S": error.cause},
        }
        self.world.update("runs", {"run_id": run_id, "record": record}, SET_ASIDE, values)

    def _task(self, function: str, event: dict[str, Any]) -> States:
        """Call a function, again as often as its state's retriers say."""
        retried: Counter[int] = Counter()
        while True:
            outcome = yield Invoke(function, event)
            if not isinstance(outcome, Error):
                answer: dict[str, Any] = outcome
                return answer
            number, retrier = self._retrier(function, outcome.name)
            if retried[number] >= retrier["MaxAttempts"]:
                raise Caught(outcome)
            retried[number] += 1

    @staticmethod
    def _retrier(function: str, error: str) -> tuple[int, dict[str, Any]]:
        """The first that names this error. Full jitter: its wait may be as short as nothing."""
        return next(
            (number, retrier)
            for number, retrier in enumerate(RETRIERS[function])
            if {error, "States.ALL"} & set(retrier["ErrorEquals"])
        )


@dataclass(frozen=True)
class Start:
    """An execution that somebody starts: after so many steps of others, with this input."""

    after_steps: int
    input: dict[str, Any] = field(default_factory=dict)


@dataclass
class Operator:
    """Starts the night, starts it again after every end that left something, `rest` seconds
    later, redrives. After the steps in `impatient`, the execution is aborted and another one
    started at once."""

    world: World
    starts: tuple[Start, ...]
    impatient: range
    next_run: bool
    rest: float
    watch: Callable[[World], Iterable[str]]
    executions: list[Execution] = field(default_factory=list)
    steps: int = 0

    def play(self) -> None:
        """Until a start finds nothing to do, with every function of old dead.

        Raises:
            Endless: starting again and again does not finish it.
        """
        for _ in range(8):
            self._start_again()
            for start in self._due_now():
                self._start(start.input)
            self._run()
            if self._is_done():
                return
            self.world.wait_until(self.world.now + self.rest)
        raise Endless(f"{len(self.executions)} starts did not finish the night")

    def _is_done(self) -> bool:
        last = self.executions[-1].report
        if not last or last["status"] not in ("complete", "nothing_to_do"):
            return False
        self.world.wake_all()
        return last["status"] == "nothing_to_do" and last["pending"] == 0

    def _due_now(self) -> list[Start]:
        return [start for start in self.starts if start.after_steps == self.steps]

    def _start_again(self) -> None:
        self._start({"run_id": "the next"} if self.next_run and self.executions else {})

    def _start(self, given: dict[str, Any]) -> None:
        arn = f"arn:aws:states:::execution:night:{len(self.executions):02}"
        self.executions.append(Execution(self.world, arn, given, self.world.now))

    def _run(self) -> None:
        while running := [execution for execution in self.executions if execution.running]:
            execution = min(running, key=lambda e: (e.hanging, e.ready_at, e.stepped))
            self.world.wait_until(execution.ready_at)
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Endless(f"no end after {MOST_STEPS} steps")
            execution.stepped = self.steps
            execution.step()
            execution.ready_at = max(execution.ready_at, self.world.now)
            self.world.alarms += self.watch(self.world)
            self._believe(execution)
            self._look_around(execution)

    def _believe(self, execution: Execution) -> None:
        """Nobody writes tickets in the night: who says complete must leave none pending."""
        said = execution.report or {}
        if said.get("status") == "complete" and said["pending"]:
            self.world.alarms.append(f"complete, but {said['pending']} tickets are pending")

    def _look_around(self, execution: Execution) -> None:
        """Somebody may start or redrive an execution now."""
        for start in self._due_now():
            self._start(start.input)
        if self.steps in self.impatient and execution.running:
            self.world.abort(execution.arn)
        instead = self.world.to_redrive.get(execution.arn) == INSTEAD
        if self.world.executions[execution.arn] == "ABORTED" and not instead:
            self._start_again()
        elif self.world.to_redrive:
            arn, _ = self.world.to_redrive.popitem()
            old = next(execution for execution in self.executions if execution.arn == arn)
            self.world.executions[arn] = "RUNNING"
            old.ready_at = self.world.now
