"""The close of a batch: final, and in the same transaction what its task version has shown."""

from nightshift.deployment import Deployment
from nightshift.runs import probe
from nightshift.runs.ledger import Stale
from nightshift.runs.records import Batch, Version
from nightshift.task.request import version_of

# Batches of one version that are closed at the same moment are judged one after the other. At most
# four are collected at once.
_TRIES = 9


def close(batch: Batch, stack: Deployment, execution: str, problem: str | None = None) -> None:
    """Close a batch, with the `problem` that it has; the version that sent it is judged anew.

    Raises:
        Stale: another call has moved the batch on.
    """
    if not batch.version:  # of release 0.1.0
        stack.ledger.close(batch, execution, problem)
        return
    for _ in range(_TRIES):
        known = stack.ledger.version(batch.version)
        learned = probe.learn(known, batch, execution, stack.now())
        said = _said(problem, known, learned, stack)
        try:
            stack.ledger.close(batch, execution, said, learned, known.last_closed)
        except Stale:
            if stack.ledger.version(batch.version).last_closed == known.last_closed:
                raise
        else:
            return
    raise Stale(f"{batch.version}: batches of it are closed all the time")


def _said(problem: str | None, known: Version, learned: Version, stack: Deployment) -> str | None:
    """A version that is no longer in use fails nothing; today's fails once an execution."""
    failed_before = known.failed and known.execution == learned.execution
    today = learned.name == version_of(stack.task, stack.settings.model)
    if not learned.failed or failed_before or not today:
        return problem
    unusable = probe.problem(learned, stack.settings.model)
    return f"{problem} {unusable}" if problem else unusable
