"""Tokens of tickets by their characters, and what each model would charge for them."""

from dataclasses import dataclass
from decimal import Decimal

from nightshift.claude.money import Usage, alias
from nightshift.dry_run.forecast import Forecast, answer_tokens, fixed_tokens, plain_tokens
from nightshift.task.request import template_for
from nightshift.task.task import Task
from tools.desk.files.problems import UnusableFile
from tools.desk.files.tickets import Findings, Source, read
from tools.desk.labelled import shown


@dataclass(frozen=True)
class Tickets:
    """A night's worth of them. `tokens` are those of their messages, as `plain_tokens` counts."""

    name: str
    count: int
    empty: int
    left_out: int
    tokens: int

    @property
    def requests(self) -> int:
        return self.count - self.empty


@dataclass(frozen=True)
class Offer:
    """What one model would use and charge for a night, in USD. `thinks`: more than is shown."""

    model: str
    asked: bool
    usage: Usage
    batch: Decimal
    realtime: Decimal
    caches: bool
    thinks: bool


def load(asked: Source) -> Tickets:
    """Read a file once and keep nothing of it.

    Raises UnusableFile if there is not a single ticket in it.
    """
    findings, task = Findings(), asked.task
    tokens = empty = 0
    for ticket in read(asked, findings):
        message = task.message_for([shown(ticket.get(name)) for name in task.inputs])
        empty += message is None
        tokens += plain_tokens(message or "")
    name = asked.path.name if asked.path and not asked.is_invented else "the built-in sample"
    if not findings.tickets:
        line, why = next(iter(findings.bad_lines), (1, "nothing is there"))
        raise UnusableFile(f"{name} holds no ticket that can be counted. Line {line}: {why}.")
    return Tickets(name, findings.tickets, empty, len(findings.bad_lines), tokens)


def offers(tickets: Tickets, task: Task, asked: str) -> list[Offer]:
    """Every model with a known price: the one asked for first, the others from the cheapest on."""
    found = [offer(tickets, task, model, alias(asked) == model) for model in task.price_table.rows]
    return sorted(found, key=lambda offer: (not offer.asked, offer.batch))


def offer(tickets: Tickets, task: Task, model: str, asked: bool = True) -> Offer:
    """What one model would use and charge.

    Raises:
        PriceUnknown: the model is in no price table.
    """
    price = task.price_table.of(model)
    fixed = fixed_tokens(task, price)
    template = template_for(task, model, fixed, tickets.requests)
    messages = round(tickets.tokens * price.tokenizer)
    forecast = Forecast(tickets.requests, fixed, messages, answer_tokens(task, price))
    usage, long_usage = forecast.usage(template), forecast.long_usage(template, price)
    return Offer(
        model,
        asked,
        usage,
        template.expected(price).batch_cost(usage, long_usage),
        template.expected(price).realtime_cost(usage, long_usage),
        template.caches,
        price.thinks,
    )
