"""Who calls when a function of the local cloud calls a service that is not in it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from tools.local.cloud.cloud import LocalCloud


@dataclass(frozen=True)
class Role:
    """A function's role, and the credentials that the local cloud gives it.

    MiniStack derives them from the function and its role (1.5.33, with `AUTH=true`).
    """

    name: str
    session: str
    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


def role_of(cloud: LocalCloud, function: str) -> Role:
    found = cloud.client("lambda").get_function_configuration(FunctionName=function)
    arn, role = found["FunctionArn"], found["Role"]
    digest = hashlib.sha256(f"{arn}:{role}".encode()).hexdigest()
    account, name = arn.split(":")[4], role.rpartition("/")[2]
    return Role(
        name,
        f"arn:aws:sts::{account}:assumed-role/{name}/{function[:64]}",
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )


def statements_of(iam: Any, role: str) -> list[dict[str, Any]]:
    """What a role's own policies allow now, asked of the local cloud's IAM."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names
    ]
    return [statement for document in documents for statement in document["Statement"]]
