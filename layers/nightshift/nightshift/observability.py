"""Logs and metrics: ids and counts, never ticket text."""

import logging
import warnings
from os import environ

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from nightshift.runs.records import Batch

# At DEBUG the AWS SDK writes whole request bodies into the log (botocore 1.43, 2026-11).
for noisy in ("botocore", "boto3"):
    logging.getLogger(noisy).setLevel(logging.WARNING)
# Most calls have nothing to count, and powertools would say so each time.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger(service="nightshift")
metrics = Metrics(namespace="Nightshift", service="nightshift")
# Two stacks in one account must not add up in one number.
metrics.set_default_dimensions(stack=environ.get("STACK_NAME", "none"))


def count_batch(batch: Batch, seconds: float) -> None:
    """One closed batch as metrics; the provider took so many seconds for it."""
    tally = batch.tally
    metrics.add_metric("TicketsClassified", MetricUnit.Count, tally.classified)
    metrics.add_metric("TicketsFailed", MetricUnit.Count, tally.failed)
    metrics.add_metric("TicketsRequeued", MetricUnit.Count, tally.requeued)
    metrics.add_metric("TicketsSuperseded", MetricUnit.Count, tally.superseded)
    metrics.add_metric("RequestsExpired", MetricUnit.Count, tally.expired)
    metrics.add_metric("BatchWaitSeconds", MetricUnit.Seconds, seconds)
    # USD have no unit of their own in CloudWatch.
    metrics.add_metric("CostUsd", MetricUnit.NoUnit, float(batch.cost))


def count_run(pending: int, given_up: int) -> None:
    """One finished execution as metrics; so many tickets are pending and given up after it."""
    metrics.add_metric("NightsFinished", MetricUnit.Count, 1)
    metrics.add_metric("TicketsPending", MetricUnit.Count, pending)
    metrics.add_metric("TicketsGivenUp", MetricUnit.Count, given_up)
