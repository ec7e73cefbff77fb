"""The one place that imports boto3: clients, value conversion, the secret."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from nightshift.errors import ApiKeyMissing, SettingsInvalid

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "CONDITION_FAILED",
    "TRY_AGAIN",
    "ClientError",
    "api_key",
    "dynamodb",
    "error_code",
    "execution_status",
    "from_item",
    "identity_token",
    "signer",
    "to_item",
]

CONDITION_FAILED = "ConditionalCheckFailedException"
# Error codes of DynamoDB after which the same call may be tried again: those of a statement, of an
# element of a transaction and, without their ending, of a call (docs.aws.amazon.com,
# BatchStatementError and CancellationReason, 2026-11).
TRY_AGAIN = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingError",
        "TransactionConflict",
    }
)
KEY_MAX_AGE_SECONDS = 300
type Sign = Callable[[str, str, Mapping[str, str], str], dict[str, str]]
_CONNECTIONS = 16
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 8},
    max_pool_connections=_CONNECTIONS,
    # AWS validates parameters too, and botocore's validation took a fifth of collect's time.
    parameter_validation=False,
)
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@cache
def dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=_CONFIG)


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as DynamoDB's API spells them; what is None is left out."""
    return {name: _serialize(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB's spelling as Python values; numbers are exact decimals."""
    return {n: v["B"] if "B" in v else _deserialize(v) for n, v in item.items()}


def error_code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def execution_status(arn: str) -> str | None:
    """The status of a Step Functions execution; None where it does not exist."""
    states = _step_functions()
    try:
        return str(states.describe_execution(executionArn=arn)["status"])
    except (states.exceptions.ExecutionDoesNotExist, states.exceptions.InvalidArn):
        return None


def api_key(secret: str, fresh: bool = False) -> str:
    """The provider's API key, from a cache of five minutes or fetched `fresh`.

    Raises:
        ApiKeyMissing: nobody has stored one yet, or what is stored is JSON.
    """
    key = _secret_value(secret, fresh)
    if not _is_key(key) and not fresh:
        key = _secret_value(secret, fresh=True)  # it may have been corrected a moment ago
    if not _is_key(key):
        raise ApiKeyMissing(
            "The secret holds no API key (the plain key must be the whole string). Store it with: "
            f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string sk-ant-..."
        )
    return key


def identity_token(audience: str) -> str:
    """A signed JWT in which AWS tells one audience which role we have; valid for 15 minutes.

    Raises:
        SettingsInvalid: this account has not been allowed to issue such tokens, or this runtime's
            boto3 does not know them yet.
    """
    sts = _sts()
    if not hasattr(sts, "get_web_identity_token"):
        raise SettingsInvalid(
            f"The boto3 of this Lambda runtime ({boto3.__version__}) is too old for "
            "FederationRuleId: it knows no GetWebIdentityToken. Choose a runtime with a newer one, "
            "or store an API key and deploy with an empty FederationRuleId."
        )
    try:
        issued = sts.get_web_identity_token(
            Audience=[audience], DurationSeconds=900, SigningAlgorithm="RS256"
        )
    except ClientError as error:
        if "OutboundWebIdentityFederationDisabled" not in error_code(error):
            raise
        raise SettingsInvalid(
            "This AWS account issues no identity tokens yet. Allow it once with: "
            "aws iam enable-outbound-web-identity-federation"
        ) from None
    return str(issued["WebIdentityToken"])


def signer(service: str, region: str) -> Sign:
    """What signs calls to one service in one region (Signature Version 4) with this process's
    credentials, read anew: from a call's method, URL and headers, and the SHA-256 of its body in
    hexadecimal, its headers with those that sign it.

    Raises:
        SettingsInvalid: the process has no credentials.
    """
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise SettingsInvalid("This process has no AWS credentials: a WorkspaceId needs a role.")
    frozen = credentials.get_frozen_credentials()

    def sign(method: str, url: str, headers: Mapping[str, str], digest: str) -> dict[str, str]:
        request = AWSRequest(method, url, dict(headers))
        # The time of the signature is taken here: after the body was hashed, not before.
        _DigestGiven(frozen, service, region, digest).add_auth(request)
        return dict(request.headers.items())

    return sign


class _DigestGiven(SigV4Auth):
    """Signs a request whose body is not at hand, by its digest."""

    def __init__(self, credentials: Any, service: str, region: str, digest: str) -> None:
        super().__init__(credentials, service, region)
        self._digest = digest

    def payload(self, _: Any) -> str:
        return self._digest


def _secret_value(secret: str, fresh: bool) -> str:
    try:
        value = _secrets().get(secret, max_age=KEY_MAX_AGE_SECONDS, force_fetch=fresh)
    except GetParameterError as error:
        if "ResourceNotFound" not in str(error):
            raise
        return ""
    return str(value or "").strip()


def _is_key(value: str) -> bool:
    return bool(value) and value[0] not in '{["'


@cache
def _step_functions() -> Any:
    return boto3.client("stepfunctions", config=_CONFIG)


@cache
def _sts() -> Any:
    return boto3.client("sts", config=_CONFIG)


@cache
def _secrets() -> SecretsProvider:
    return SecretsProvider(boto_config=_CONFIG)
