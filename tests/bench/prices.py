"""What AWS charges: list prices in us-east-1, in USD, without the free tiers and discounts.

Above each group is its page on aws.amazon.com, looked up on 2026-11-22: itself or a mirror of it
that is from 2026-02 or later. What has changed in the last years carries the date of that.
"""

MILLION = 1e6

# /lambda/pricing
LAMBDA_GB_SECOND = 0.0000133334  # arm64, first tier; starting up is billed too (since 2025-08)
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_MB_PER_CPU = 1_769  # memory at which a function has one whole processor
# /dynamodb/pricing/on-demand, halved on 2024-11-01
DYNAMODB_WRITE = 0.625 / MILLION  # a write request unit: 1 KB, twice that in a transaction
DYNAMODB_READ = 0.125 / MILLION  # a read request unit: 4 KB read consistently, else 8 KB
# /step-functions/pricing (standard workflows)
STATE_TRANSITION = 0.025 / 1_000
# /sns/pricing
SNS_PUBLISH = 0.50 / MILLION
SNS_EMAIL = 2.00 / 100_000
# /secrets-manager/pricing
SECRET_CALL = 0.05 / 10_000
# /xray/pricing
XRAY_TRACE = 5.00 / MILLION
# /cloudwatch/pricing
LOGS_GB = 0.50
# /eventbridge/pricing
EVENT = 1.00 / MILLION  # of a custom event; a scheduled one is free, so this is an upper bound
# /ec2/pricing/on-demand (data transfer)
TRANSFER_OUT_GB = 0.09

# A month of what is there whether or not a night runs.
# /secrets-manager/pricing
SECRET_MONTH = 0.40
# /cloudwatch/pricing
ALARM_METRIC_MONTH = 0.10  # of each metric that a standard alarm watches
DASHBOARD_MONTH = 3.00
METRIC_MONTH = 0.30  # of a custom metric; only the hours in which it gets data are billed
# /dynamodb/pricing/on-demand
TABLE_GB_MONTH = 0.25 + 0.20  # stored, and recoverable to any second of 35 days
HOURS_PER_MONTH = 730
