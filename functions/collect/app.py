"""One ended batch -> categories in the ticket table."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightshift.collect import collect
from nightshift.deployment import deployment
from nightshift.error_boundary import error_boundary
from nightshift.events import CollectCall
from nightshift.observability import logger, metrics


@error_boundary
@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Stream one batch's results into the ticket table."""
    call = CollectCall.parse(event)
    return collect(call, deployment(), lambda: context.get_remaining_time_in_millis() / 1000)
