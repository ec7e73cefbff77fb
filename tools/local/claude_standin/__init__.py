"""A stand-in for Claude: a strict fake of Anthropic's Message Batches API on 127.0.0.1.

It is not Claude. It answers with simple keyword rules, and says so in its `server` header.
"""

from tools.local.claude_standin.batches import Life
from tools.local.claude_standin.control import Control
from tools.local.claude_standin.server import Settings, StandIn, running

__all__ = ["Control", "Life", "Settings", "StandIn", "running"]
