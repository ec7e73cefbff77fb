"""This stack's edges, connected once for as long as a function's process lives."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from nightshift import aws
from nightshift.claude.api_key import ApiKey
from nightshift.claude.client import Claude, FederationRule
from nightshift.claude.federation import Federation
from nightshift.claude.money import Price
from nightshift.claude.prices import PriceTable
from nightshift.claude.through_aws import ThroughAws
from nightshift.errors import SettingsInvalid
from nightshift.runs.ledger import Ledger
from nightshift.runs.lock import LockItem
from nightshift.settings import Settings, settings
from nightshift.task.request import RequestTemplate, template_for
from nightshift.task.task import Task, check_room, load
from nightshift.tickets.table import TicketTable

# The audience of the identity token. The federation rule and the policy of the roles name it too.
AUDIENCE = "https://api.anthropic.com"


@dataclass(frozen=True)
class Deployment:
    """The settings, the task, the tables and the provider: all that a use case needs beside its
    arguments."""

    settings: Settings
    task: Task
    tickets: TicketTable
    ledger: Ledger
    lock: LockItem
    claude: Claude
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The clock. Tests replace it."""

    @property
    def prices(self) -> PriceTable:
        """The prices of all models: an open batch may belong to an earlier Model of the stack."""
        return self.task.price_table

    @property
    def price(self) -> Price:
        """The price of this stack's model.

        Raises:
            PriceUnknown: the model has no price, so its cost could not be bounded.
        """
        return self.prices.of(self.settings.model)

    @property
    def template(self) -> RequestTemplate:
        """The request of the task for this stack's model, without cache marks."""
        return template_for(self.task, self.settings.model)


@cache
def deployment() -> Deployment:
    """Connect what the environment names.

    Raises:
        SettingsInvalid: the environment or the task file is malformed.
    """
    ours = settings()
    task = load(ours.task)
    check_room(task, ours.model)
    dynamodb = aws.dynamodb()
    sign_in = _sign_in(ours)
    # Modules and clients stay for good: looking at them for garbage took a twelfth of collect.
    gc.freeze()
    return Deployment(
        ours,
        task,
        TicketTable(dynamodb, ours.ticket_table),
        Ledger(dynamodb, ours.run_table),
        LockItem(dynamodb, ours.run_table, aws.execution_status),
        Claude(ours.anthropic_base_url, sign_in, sign_in.rejected),
    )


def _sign_in(ours: Settings) -> ApiKey | Federation | ThroughAws:
    """What calls to Claude are signed in with: the stored key, a token for this function's role,
    or that role's signature."""
    if ours.workspace_id:
        return ThroughAws(ours.workspace_region, ours.workspace_id, aws.signer)
    if not ours.federation_rule_id:
        secret = ours.api_key_secret
        return ApiKey(secret, lambda fresh: aws.api_key(secret, fresh))
    if not ours.organization_id or not ours.service_account_id:
        raise SettingsInvalid(
            "A FederationRuleId needs the OrganizationId and the ServiceAccountId beside it."
        )
    rule = FederationRule(ours.federation_rule_id, ours.organization_id, ours.service_account_id)
    return Federation(ours.anthropic_base_url, lambda: aws.identity_token(AUDIENCE), rule)
