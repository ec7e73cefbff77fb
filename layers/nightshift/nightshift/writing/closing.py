"""Closing a batch, and in the same transaction what its answers say of the task version."""

from nightshift.deployment import Deployment
from nightshift.errors import AnswersUnusable, NightshiftError
from nightshift.runs import probe
from nightshift.runs.ledger import Stale
from nightshift.runs.records import Batch, Version
from nightshift.task.request import version_of

# Batches of one version that are closed at the same moment are judged one after the other. At most
# four are collected at once.
_TRIES = 9


def close(
    batch: Batch, stack: Deployment, execution: str, problem: NightshiftError | None = None
) -> None:
    """Close a batch, with a problem of its own if it has one, and judge its task version anew.

    Raises:
        Stale: another call has moved the batch on.
    """
    problems = [problem] if problem else []
    if not batch.version:  # of release 0.1.0
        stack.ledger.close(batch, execution, problems)
        return
    for _ in range(_TRIES):
        known = stack.ledger.version(batch.version)
        learned = probe.learn(known, batch, execution, stack.now())
        unusable = _newly_unusable(known, learned, stack)
        try:
            both = [*problems, *unusable]
            stack.ledger.close(batch, execution, both, learned, known.last_closed)
        except Stale:
            if stack.ledger.version(batch.version).last_closed == known.last_closed:
                raise
        else:
            return
    raise Stale(f"{batch.version}: batches of it are closed all the time")


def _newly_unusable(known: Version, learned: Version, stack: Deployment) -> list[AnswersUnusable]:
    """The failure of today's version, once an execution; a version out of use fails nothing."""
    failed_before = known.failed and known.execution == learned.execution
    today = learned.name == version_of(stack.task, stack.settings.model)
    if not learned.failed or failed_before or not today:
        return []
    return [AnswersUnusable(probe.problem(learned, stack.settings.model))]
