"""Signing in without a key: an identity token becomes an access token for some minutes.

As the SDK asks for it and the reference describes it (platform.claude.com, WIF reference; SDK
2.13.0, 2026-11). Signatures are not checked: the stand-in has no issuer whose keys it could ask.
"""

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tools.local.claude_standin.batches import parse_json
from tools.local.claude_standin.errors import ApiError, invalid

AUDIENCE = "https://api.anthropic.com"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
OAUTH_BETA, FEDERATION_BETA = "oauth-2025-04-20", "oidc-federation-2026-04-01"
REQUIRED = {"grant_type", "assertion", "federation_rule_id", "organization_id"}
REQUIRED |= {"service_account_id"}
OPTIONAL = {"workspace_id"}


@dataclass
class Identity:
    """One organization with one federation rule, and the tokens minted by it."""

    rule_id: str = "fdrl_standin"
    organization_id: str = "00000000-0000-4000-8000-000000000000"
    lifetime_seconds: float = 3600
    tokens: dict[str, float] = field(default_factory=dict)

    def exchange(self, body: bytes, betas: set[str]) -> dict[str, Any]:
        asked = parse_json(body)
        if not {OAUTH_BETA, FEDERATION_BETA} <= betas:
            raise invalid("anthropic-beta: the federation beta is required")
        if not isinstance(asked, dict) or not asked.keys() >= REQUIRED:
            raise invalid("a field of the token request is missing")
        if asked.keys() - REQUIRED - OPTIONAL or asked["grant_type"] != GRANT:
            raise invalid("the token request has a field or a grant that is not known")
        claims = _claims(asked["assertion"])
        remaining = claims.get("exp", 0) - time.time()
        rule = (asked["federation_rule_id"], asked["organization_id"])
        audiences = claims.get("aud")
        if (
            rule != (self.rule_id, self.organization_id)
            or AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences])
            or remaining <= 0
        ):
            raise ApiError(401, "Identity token does not match the federation rule.")
        seconds = max(60, min(self.lifetime_seconds, 2 * remaining))
        token = f"sk-ant-oat01-{uuid.uuid4().hex}"
        self.tokens[token] = time.time() + seconds
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(seconds),
            "scope": "workspace:inference",
        }

    def accepts(self, token: str, betas: set[str]) -> bool:
        """A bearer token is taken together with the beta flag only."""
        return OAUTH_BETA in betas and self.tokens.get(token, 0) > time.time()


def _claims(assertion: str) -> dict[str, Any]:
    try:
        _, payload, _ = assertion.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        raise ApiError(401, "The assertion is no JWT.") from None
    return claims if isinstance(claims, dict) else {}
