"""The one place that imports boto3: clients, value conversion, the secret.

boto3 copies each attribute value from its own form into that of the wire and back, which is most of
the processor time of a night. The two forms are the same but for binary values. So the models in
`sdk_models/` extend the SDK's own model of DynamoDB (docs.aws.amazon.com, botocore.loaders, sdk-
extras, 2026-11) and call these shapes documents, which boto3 passes on as they are: attribute
values, the items of an answer, the keys of a read, the statements of a PartiQL batch and their
responses. For the client of `dynamodb()` a binary value is therefore base64 text, as on the wire.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
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
    # Without a name of ours botocore composes one anew for each call: a tenth of a call's time.
    user_agent=f"Boto3/{boto3.__version__} nightshift",
)
_MODELS = Path(__file__).with_name("sdk_models")
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@cache
def dynamodb() -> "DynamoDBClient":
    """A client that takes and gives attribute values as they are on the wire.

    Raises:
        SettingsInvalid: this runtime's boto3 cannot be told to.
    """
    client = _session().client("dynamodb", config=_CONFIG)
    if not client.meta.service_model.shape_for("AttributeValue").metadata.get("document"):
        raise SettingsInvalid(
            f"The boto3 of this Lambda runtime ({boto3.__version__}) has another model of DynamoDB "
            "than Nightshift extends. Choose an earlier version of the runtime (Lambda console, "
            "Edit runtime management configuration) and report this."
        )
    return client


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as they are on the wire; what is None is left out. Binary values are taken at
    the top alone."""
    return {name: _to_wire(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of any client as Python values; numbers are exact decimals."""
    return {n: _binary(v["B"]) if "B" in v else _deserialize(v) for n, v in item.items()}


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


def _to_wire(value: Any) -> Mapping[str, Any]:
    if isinstance(value, bytes):
        return {"B": b64encode(value).decode()}
    return _serialize(value)


def _binary(value: bytes | str) -> bytes:
    return b64decode(value) if isinstance(value, str) else value


@cache
def _session() -> boto3.Session:
    session = botocore.session.get_session()
    session.set_config_variable("data_path", str(_MODELS))
    return boto3.Session(botocore_session=session)


@cache
def _step_functions() -> Any:
    return _session().client("stepfunctions", config=_CONFIG)


@cache
def _sts() -> Any:
    return _session().client("sts", config=_CONFIG)


@cache
def _secrets() -> SecretsProvider:
    return SecretsProvider(boto_config=_CONFIG, boto3_session=_session())
