"""Which troubles of batches an execution must fail for, and of which somebody was told. Pure.

The workflow tells people of all troubles that an execution has met, and marks that it did. An
execution that ends before leaves its troubles untold: the next one takes them over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nightshift.errors import ClaudeRejected, gravity
from nightshift.runs.records import Batch, Run, Trouble


@dataclass(frozen=True)
class Troubles:
    """The troubles of all batches of these runs, as one execution sees them."""

    runs: Sequence[Run]
    execution: str

    @property
    def gravest(self) -> dict[str, str] | None:
        """Error and cause that this execution must fail with: the gravest trouble that it was the
        first to meet, or that an earlier execution met and told nobody of."""
        told = self._tellers
        troubles = [trouble for _, trouble in self._unmarked if trouble.noticed_by not in told]
        if not troubles:
            return None
        gravest = min(troubles, key=lambda trouble: gravity(trouble.error))
        others = len(troubles) - 1
        more = f" ({others} more batches with problems.)" if others else ""
        return {"error": gravest.error, "cause": gravest.whole_cause + more}

    @property
    def told_by_others(self) -> list[Batch]:
        """Batches with a trouble that an earlier execution met and told somebody of."""
        told = self._tellers
        return [batch for batch, trouble in self._unmarked if trouble.noticed_by in told]

    @property
    def untold_by_others(self) -> list[Batch]:
        """Batches with a trouble that an earlier execution met and told nobody of."""
        accounted = self._tellers | {self.execution}
        return [batch for batch, trouble in self._unmarked if trouble.noticed_by not in accounted]

    @property
    def any_rejected(self) -> bool:
        """Whether Claude has rejected the requests of a batch that this execution collected."""
        troubles = [batch.trouble for batch in self._batches if batch.trouble]
        ours = [trouble for trouble in troubles if trouble.noticed_by == self.execution]
        return any(trouble.error == ClaudeRejected.__name__ for trouble in ours)

    @property
    def _batches(self) -> list[Batch]:
        return [batch for run in self.runs for batch in run.batches]

    @property
    def _unmarked(self) -> list[tuple[Batch, Trouble]]:
        """Batches with a trouble that is not marked as told."""
        return [(b, b.trouble) for b in self._batches if b.trouble and not b.trouble.told]

    @property
    def _tellers(self) -> set[str]:
        """Other executions that have told somebody of all troubles that they met."""
        return {other for run in self.runs for other in run.told} - {self.execution}
