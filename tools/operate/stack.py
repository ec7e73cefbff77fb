"""A deployed stack, found by its name in the account that the environment leads to.

The name `local` is the stack in the local cloud that `make run KEEP=1` keeps up, whatever the
environment says.
"""

import os
from collections.abc import Callable, Iterator, Mapping
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

from tools.local.cloud.kept import LOCAL, NotKept, kept

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
        if name == LOCAL and not session:
            cloud, deployed_as = kept()
            return _described(name, deployed_as, cloud.client, "the local cloud")
        # AWS's own CLI reads AWS_REGION first, boto3 reads AWS_DEFAULT_REGION alone.
        session = session or boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        where = f"this account and region ({session.region_name})"
        return _described(name, name, lambda of: session.client(of, config=_CONFIG), where)


def _described(name: str, deployed_as: str, client: Callable[[str], Any], where: str) -> Stack:
    try:
        answer = client("cloudformation").describe_stacks(StackName=deployed_as)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise Unusable(
            f"There is no stack {name!r} in {where}. `sam list stack-outputs --stack-name NAME` or "
            "the CloudFormation console shows which there are; AWS_REGION and AWS_PROFILE choose."
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
        client("dynamodb"),
        client("stepfunctions"),
    )


@contextmanager
def explained() -> Iterator[None]:
    """What boto3 says about credentials, regions and connections, in our own words."""
    try:
        yield
    except NotKept as error:
        raise Unusable(str(error)) from None
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
