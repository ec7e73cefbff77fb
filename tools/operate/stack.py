"""A deployed stack, found by its name in the account that the environment leads to."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

NEEDED = ("TicketTableName", "RunTableName", "WorkflowArn")
_CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard"})
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClient")


class Unusable(Exception):
    """There is nothing to work with; the message says why and what to do."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs and parameters by name, and the clients to look at it."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    dynamodb: Any
    states: Any

    @property
    def ticket_table(self) -> str:
        return self.outputs["TicketTableName"]

    @property
    def run_table(self) -> str:
        return self.outputs["RunTableName"]


def find(name: str, session: Any = None) -> Stack:
    """Look a stack up, in the user's own account unless another session is given.

    Raises Unusable if there is none, or if it is none of ours.
    """
    with explained():
        # AWS's own CLI reads AWS_REGION first, boto3 reads AWS_DEFAULT_REGION alone.
        session = session or boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        try:
            answer = session.client("cloudformation", config=_CONFIG).describe_stacks(
                StackName=name
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise Unusable(
                f"There is no stack {name!r} in this account and region "
                f"({session.region_name}). `sam list stack-outputs --stack-name NAME` or the "
                "CloudFormation console shows which there are; AWS_REGION and AWS_PROFILE choose."
            ) from None
        [described] = answer["Stacks"]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}
        missing = [output for output in NEEDED if output not in outputs]
        if missing:
            raise Unusable(
                f"The stack {name!r} ({described['StackStatus']}) has no output "
                f"{', '.join(missing)}: it is none of Nightshift's, or its deployment did not "
                "finish. Deploy it with `sam build && sam deploy`."
            )
        parameters = described.get("Parameters", [])
        return Stack(
            name,
            outputs,
            {p["ParameterKey"]: p.get("ParameterValue", "") for p in parameters},
            session.client("dynamodb", config=_CONFIG),
            session.client("stepfunctions", config=_CONFIG),
        )


@contextmanager
def explained() -> Iterator[None]:
    """What boto3 says about credentials, regions and connections, in our own words."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise Unusable(
            "No AWS credentials were found. Log in (`aws sso login`), or choose a profile with "
            "AWS_PROFILE."
        ) from None
    except NoRegionError:
        raise Unusable(
            "No AWS region is chosen: set AWS_REGION, as in AWS_REGION=eu-west-1."
        ) from None
    except (ProfileNotFound, EndpointConnectionError) as error:
        raise Unusable(f"{error}") from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code.startswith(_EXPIRED):
            raise Unusable(
                f"AWS does not accept these credentials ({code}): log in again."
            ) from None
        raise Unusable(f"AWS refused {error.operation_name}: {error}") from None
    except BotoCoreError as error:
        raise Unusable(f"AWS could not be asked: {error}") from None
