"""Signing in with an API key that somebody has stored."""

from collections.abc import Callable
from dataclasses import dataclass

from nightshift.claude import refusal
from nightshift.claude.refusal import Refusal
from nightshift.errors import ClaudeRejected


@dataclass(frozen=True)
class ApiKey:
    """The `key` of a stack with a stored API key. `read(fresh)` reads it, from a cache or anew;
    `secret` names where it is stored."""

    secret: str
    read: Callable[[bool], str]

    def __call__(self, fresh: bool) -> str:
        return self.read(fresh)

    def rejected(self, refused: Refusal) -> ClaudeRejected:
        if refused.status != 401 or refused.type is None:
            return refusal.rejected(refused)
        return ClaudeRejected(
            "Claude does not accept the API key. Store a valid one with: aws secretsmanager "
            f"put-secret-value --secret-id {self.secret} --secret-string sk-ant-... and start "
            f"again. {refused.request}"
        )
