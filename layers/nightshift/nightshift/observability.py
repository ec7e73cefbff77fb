"""Logs and metrics: ids and counts, never ticket text."""

import logging
import warnings
from collections.abc import Mapping
from os import environ
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from nightshift.records import Tally

# At DEBUG the AWS SDK writes whole request bodies into the log (botocore 1.43, 2026-11).
for noisy in ("botocore", "boto3"):
    logging.getLogger(noisy).setLevel(logging.WARNING)
# Most calls have nothing to count, and powertools would say so each time.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger(service="nightshift")
metrics = Metrics(namespace="Nightshift", service="nightshift")
# Two stacks in one account must not add up in one number.
metrics.set_default_dimensions(stack=environ.get("STACK_NAME", "none"))


def count_tickets(tally: Tally) -> None:
    """What became of one batch's tickets, as metrics."""
    metrics.add_metric("TicketsClassified", MetricUnit.Count, tally.classified)
    metrics.add_metric("TicketsFailed", MetricUnit.Count, tally.failed)
    metrics.add_metric("TicketsRequeued", MetricUnit.Count, tally.requeued)
    metrics.add_metric("TicketsSuperseded", MetricUnit.Count, tally.superseded)


def count_night(report: Mapping[str, Any]) -> None:
    """One finished night, as metrics. USD have no unit of their own in CloudWatch."""
    metrics.add_metric("NightsFinished", MetricUnit.Count, 1)
    metrics.add_metric("TicketsPending", MetricUnit.Count, report["pending"])
    metrics.add_metric("CostUsd", MetricUnit.NoUnit, report["cost_usd"])
    metrics.add_metric("SavedUsd", MetricUnit.NoUnit, report["saved_usd"])
