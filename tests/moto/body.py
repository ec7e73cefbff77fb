"""A batch of twenty requests, as a body that can be sent."""

import json
from collections.abc import Iterator

IDS = [f"request-{number}" for number in range(20)]


class Body:
    """A batch of twenty requests."""

    def __init__(self) -> None:
        params = {
            "model": "claude-haiku-4-5",
            "max_tokens": 16,
            "messages": [{"role": "user", "content": "My invoice"}],
        }
        requests = [{"custom_id": name, "params": params} for name in IDS]
        self._raw = json.dumps({"requests": requests}).encode()
        self.size = len(self._raw)

    def __iter__(self) -> Iterator[bytes]:
        yield self._raw
