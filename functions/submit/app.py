"""Pending tickets -> message batches."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightshift.deployment import deployment
from nightshift.error_boundary import error_boundary
from nightshift.events import SubmitCall
from nightshift.observability import logger, metrics
from nightshift.submit import submit


@error_boundary
@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit at most one batch, and say what the night does next."""
    call = SubmitCall.parse(event)
    return submit(call, deployment(), lambda: context.get_remaining_time_in_millis() / 1000)
