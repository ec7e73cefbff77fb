"""This stack's edges, connected once for as long as a function's process lives."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from nightshift import aws
from nightshift.claude.client import Claude, Federation
from nightshift.claude.money import Price
from nightshift.claude.prices import PriceTable
from nightshift.errors import SettingsInvalid
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import LockItem
from nightshift.settings import Settings, settings
from nightshift.task.request import RequestTemplate, template_for
from nightshift.task.task import Task, check_room, task
from nightshift.tickets.table import TicketTable

# To whom AWS vouches for us; the federation rule and the roles' policy name it too.
AUDIENCE = "https://api.anthropic.com"


@dataclass(frozen=True)
class Deployment:
    """All that a use case reaches beyond its own arguments."""

    settings: Settings
    task: Task
    tickets: TicketTable
    ledger: Ledger
    lock: LockItem
    claude: Claude
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The clock for what may not be sent again before a certain time."""

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
    def template(self) -> RequestTemplate:
        """The request of the task for this stack's model."""
        return template_for(self.task, self.settings.model)


@cache
def deployment() -> Deployment:
    """Connect what the environment names.

    Raises:
        SettingsInvalid: the environment or the task file is malformed.
    """
    ours = settings()
    check_room(task(), ours.model)
    dynamodb = aws.dynamodb()
    return Deployment(
        ours,
        task(),
        TicketTable(dynamodb, ours.ticket_table),
        Ledger(dynamodb, ours.run_table),
        LockItem(dynamodb, ours.run_table, aws.execution_status),
        Claude(ours.anthropic_base_url, _key(ours)),
    )


def _key(ours: Settings) -> Callable[[bool], str]:
    """How to sign in: with the stored key, or with who AWS says we are."""
    if not ours.federation_rule_id:
        return lambda fresh: aws.api_key(ours.api_key_secret, fresh)
    if not ours.organization_id or not ours.service_account_id:
        raise SettingsInvalid(
            "A FederationRuleId needs the OrganizationId and the ServiceAccountId beside it."
        )
    return Federation(
        ours.anthropic_base_url,
        lambda: aws.identity_token(AUDIENCE),
        ours.federation_rule_id,
        ours.organization_id,
        ours.service_account_id,
    )
