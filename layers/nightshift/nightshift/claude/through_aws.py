"""Signing in to Claude Platform on AWS: the function's role signs each call, and IAM allows it.

What AWS and Claude say there, as of 2026-11-24: docs/claude.md, with what could not be confirmed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nightshift.claude import refusal
from nightshift.claude.credential import Sign, Signature
from nightshift.claude.refusal import Refusal
from nightshift.errors import ClaudeRejected

# The name of the service in a signature (SDK 2.13.0, AnthropicAWS, 2026-11).
SERVICE = "aws-external-anthropic"


@dataclass
class ThroughAws:
    """The `key` of a stack with a WorkspaceId. `signer(service, region)` reads the credentials of
    the function's role anew and signs with them."""

    region: str
    workspace_id: str
    signer: Callable[[str, str], Sign]
    _signature: Signature | None = None

    def __call__(self, fresh: bool) -> Signature:
        """A signature with the credentials of an earlier call or, `fresh`, with those of now."""
        if fresh or self._signature is None:
            sign = self.signer(SERVICE, self.region)
            self._signature = Signature(self.region, self.workspace_id, sign)
        return self._signature

    def rejected(self, refused: Refusal) -> ClaudeRejected:
        words = _sentence(refused)
        name = f"({refused.status} {refused.type or refused.aws_name or 'of AWS'})"
        if "outbound web identity federation" in words.lower():
            told = (
                f"This AWS account vouches for nobody yet {name}. Allow it once with: aws iam "
                "enable-outbound-web-identity-federation."
            )
        elif refused.status == 401:
            told = (
                f"Claude Platform on AWS does not accept our signature {name}: {words} Fresh "
                f"credentials did not help. Is the workspace in {self.region}? If not, deploy with "
                "its region as WorkspaceRegion. Is the clock right to five minutes? Have the "
                "credentials of the role expired?"
            )
        elif refused.status == 403:
            told = (
                f"IAM or the workspace refuses us {name}: {words} Compare WorkspaceId and "
                f"WorkspaceRegion ({self.workspace_id}, {self.region}) with the workspace, deploy "
                "the template's own policies, and look for a permissions boundary or a service "
                "control policy."
            )
        elif refused.type is None:
            told = (
                f"Something in front of Claude refuses us {name}, in words that may quote a ticket "
                "and are not repeated. Has the account signed up to Claude Platform on AWS? Is the "
                "stack's AnthropicBaseUrl right?"
            )
        else:
            return refusal.rejected(refused)
        return ClaudeRejected(f"{told} Start again when that is mended. {refused.request}")


def _sentence(refused: Refusal) -> str:
    """The first line of what was said: AWS may go on with what it thinks was to be signed, the
    session token among it."""
    said = refused.said if refused.type else refused.sentence
    return said.partition("\n")[0].strip() or "no reason given."
