"""What the template tells a function through its environment."""

from decimal import Decimal
from functools import cache
from os import environ

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightshift.errors import SettingsInvalid


class Settings(BaseModel):
    """One stack's parameters and the names of its resources."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    ticket_table: str = Field(min_length=1)
    run_table: str = Field(min_length=1)
    api_key_secret: str = Field(min_length=1)
    federation_rule_id: str = ""
    organization_id: str = ""
    service_account_id: str = ""
    workspace_id: str = ""
    workspace_region: str = ""
    anthropic_base_url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    task: str = Field(min_length=1)
    poll_seconds: int = Field(ge=60)
    max_requests_per_batch: int = Field(ge=1, le=100_000)
    max_attempts: int = Field(ge=1)
    max_cost_usd: Decimal = Field(gt=0)
    max_monthly_cost_usd: Decimal = Field(ge=0)


@cache
def settings() -> Settings:
    """The settings of this function, read once.

    Raises:
        SettingsInvalid: a variable is missing or malformed; the message names it.
    """
    try:
        return Settings.model_validate(dict(environ))
    except ValidationError as invalid:
        problems = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in invalid.errors())
        raise SettingsInvalid(f"Environment of the function: {problems}") from None
