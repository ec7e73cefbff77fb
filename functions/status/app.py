"""Open batches -> which have ended, how long to wait."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from nightshift.deployment import deployment
from nightshift.error_boundary import error_boundary
from nightshift.events import StatusCall
from nightshift.observability import logger, metrics
from nightshift.status import status


@error_boundary
@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look at all open batches at once."""
    return status(StatusCall.parse(event), deployment())
