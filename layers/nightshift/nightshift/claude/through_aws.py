"""Signing in to Claude Platform on AWS: the function's role signs each call, and IAM allows it.

What AWS and Claude say there, as of 2026-11-24: docs/claude.md, with what could not be confirmed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

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
    _signature: Signature | None = field(default=None, repr=False)

    def __call__(self, fresh: bool) -> Signature:
        """A signature with the credentials of an earlier call or, `fresh`, with those of now."""
        if fresh or self._signature is None:
            sign = self.signer(SERVICE, self.region)
            self._signature = Signature(self.region, self.workspace_id, sign)
        return self._signature

    def rejected(self, refused: Refusal) -> ClaudeRejected:
        words = _sentence(refused)
        what = f"({refused.status} {refused.type or refused.aws_name or 'of AWS'}): {words}"
        if "outbound web identity federation" in words.lower():
            return ClaudeRejected(
                f"This AWS account vouches for nobody yet {what} Allow it once with: aws iam "
                f"enable-outbound-web-identity-federation, then start again. {refused.request}"
            )
        if refused.status == 401:
            return ClaudeRejected(
                f"Claude Platform on AWS does not accept our signature {what} Fresh credentials "
                f"did not help. Is the workspace in {self.region}? If not, deploy with its region "
                "as WorkspaceRegion. Is the clock right to five minutes? Have the credentials of "
                f"the role expired? Then start again. {refused.request}"
            )
        if refused.status == 403:
            return ClaudeRejected(
                f"IAM or the workspace refuses us {what} Compare WorkspaceId and WorkspaceRegion "
                f"({self.workspace_id}, {self.region}) with the workspace, deploy the template's "
                "own policies, and look for a permissions boundary or a service control policy. "
                f"Then start again. {refused.request}"
            )
        return refusal.rejected(refused)


def _sentence(refused: Refusal) -> str:
    """The first line of what was said: AWS may go on with what it thinks was to be signed, the
    session token among it."""
    said = refused.said if refused.type else refused.sentence
    return said.partition("\n")[0].strip() or "no reason given."
