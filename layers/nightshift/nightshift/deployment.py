"""This stack's edges, connected once for as long as a function's process lives."""

from dataclasses import dataclass
from functools import cache

from nightshift import aws
from nightshift.claude import Claude
from nightshift.ledger import Ledger
from nightshift.lock import LockItem
from nightshift.money import Price
from nightshift.prices import PriceTable
from nightshift.settings import Settings, settings
from nightshift.task import Form, Task, form_for, task
from nightshift.tickets import TicketTable


@dataclass(frozen=True)
class Deployment:
    """All that a use case reaches beyond its own arguments."""

    settings: Settings
    task: Task
    tickets: TicketTable
    ledger: Ledger
    lock: LockItem
    claude: Claude

    @property
    def prices(self) -> PriceTable:
        """What models cost: a batch keeps the one it was sent to, whatever the stack's is now."""
        return self.task.price_table

    @property
    def price(self) -> Price:
        """What this stack's model costs.

        Raises:
            PriceUnknown: the model has no price, so its cost could not be bounded.
        """
        return self.prices.of(self.settings.model)

    @property
    def form(self) -> Form:
        """The request of the task for this stack's model."""
        return form_for(self.task, self.settings.model)


@cache
def deployment() -> Deployment:
    """Connect what the environment names.

    Raises:
        SettingsInvalid: the environment or the task file is malformed.
    """
    ours = settings()
    dynamodb = aws.dynamodb()
    return Deployment(
        ours,
        task(),
        TicketTable(dynamodb, ours.ticket_table),
        Ledger(dynamodb, ours.run_table),
        LockItem(dynamodb, ours.run_table, aws.execution_status),
        Claude(ours.anthropic_base_url, lambda fresh: aws.api_key(ours.api_key_secret, fresh)),
    )
