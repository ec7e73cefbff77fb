"""Signing in without a stored key: AWS says who a function is, and Claude believes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

from nightshift.claude import refusal
from nightshift.claude.client import FederationRule, exchange
from nightshift.claude.credential import AccessToken
from nightshift.claude.refusal import Refusal
from nightshift.errors import ClaudeRejected

# A token is renewed so long before its end, and not again so soon after its start. Seconds.
_TOKEN_MARGIN = 60.0


@dataclass
class Federation:
    """The `key` of a stack without a stored API key: AWS issues an identity token, and the
    provider exchanges the identity token for an access token.

    The provider's federation rule says which identities are accepted, as which service account
    (platform.claude.com, workload identity federation; SDK 2.13.0, 2026-11).
    """

    base_url: str
    identity_token: Callable[[], str]
    """A signed JWT in which AWS says who we are, made at each call."""
    rule: FederationRule
    _token: AccessToken = field(default_factory=AccessToken, repr=False)
    _minted_at: float = 0.0
    _expires_at: float = 0.0

    def __call__(self, fresh: bool) -> AccessToken:
        """An access token, from a cache or anew.

        Raises:
            ClaudeRejected: the provider refuses the identity, or a token that it has just issued.
            ClaudeUnavailable: the provider could not answer now.
        """
        now = time()
        if fresh and now < self._minted_at + _TOKEN_MARGIN:
            raise ClaudeRejected(
                "Claude does not accept the access token that it has just issued. Look at the "
                f"federation rule {self.rule.rule_id} and its service account, then start again."
            )
        if fresh or now > self._expires_at - _TOKEN_MARGIN:
            self._token, self._expires_at = exchange(
                self.base_url, self.identity_token(), self.rule
            )
            self._minted_at = time()
        return self._token

    def rejected(self, refused: Refusal) -> ClaudeRejected:
        return refusal.rejected(refused)
