"""A test's side of the stand-in: script it and read its journal, from any process."""

import http.client
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec

PREFIX = "/stand-in/"


class Control:
    """Drives the stand-in at `url`. Raises RuntimeError for what it does not understand."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def add_faults(self, *rules: dict[str, Any]) -> None:
        """Rules as in `faults.Rule`: `{"on": "create", "do": {"lose": "drop"}}`."""
        self._call("POST", "faults", rules=rules)

    def add_rows(self, *rules: dict[str, Any]) -> None:
        """Rules as in `answers.RowRule`: `{"contains": "x", "outcome": {"type": "expired"}}`."""
        self._call("POST", "rows", rules=rules)

    def clear(self) -> None:
        """Forget all rules; batches and journal stay."""
        self._call("POST", "clear")

    def set_life(self, **changes: Any) -> None:
        """Fields of `Life` for the batches created from now on."""
        self._call("POST", "life", **changes)

    def set_gateway(self, **changes: Any) -> None:
        """Of the one that plays AWS: `skew`, `federation`, `gives_request_id`."""
        self._call("POST", "gateway", **changes)

    def add_caller(self, **caller: Any) -> None:
        """Of the one that plays AWS: `access_key`, `arn`, `secret`, `token`, `statements`."""
        self._call("POST", "caller", **caller)

    def trap_was_called(self) -> bool:
        """Of the one that plays AWS: whether somebody dialed a `results_url`."""
        return bool(self._call("GET", "trap")["called"])

    def advance(self, seconds: float) -> None:
        """Move the stand-in's clock forward."""
        self._call("POST", "advance", seconds=seconds)

    def end_batch(self, batch_id: str) -> dict[str, Any]:
        return dict(self._call("POST", "end", batch_id=batch_id))

    def expire_batch(self, batch_id: str, done: float = 0.0) -> dict[str, Any]:
        """End it now; the share `done` of its requests has finished, the others expire."""
        return dict(self._call("POST", "end", batch_id=batch_id, cut="expired", done=done))

    def cancel_batch(self, batch_id: str, done: float = 0.0) -> dict[str, Any]:
        """As if someone else had canceled it, and it had ended now."""
        return dict(self._call("POST", "end", batch_id=batch_id, cut="canceled", done=done))

    def state(self) -> dict[str, Any]:
        """Clock, life, rules with how often they were used."""
        return dict(self._call("GET", "state"))

    def batches(self) -> list[dict[str, Any]]:
        """Every batch ever created, oldest first, with `deleted`."""
        return list(self.state()["batches"])

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Every HTTP request in order: method, path, status, accepted, lost, lines, fault."""
        entries = self._lines("requests")
        return [entry for entry in entries if operation in (None, entry["operation"])]

    def rows(self, params: bool = False) -> Iterator[dict[str, Any]]:
        """Every accepted request with its custom_id, text and result (None until the end)."""
        return self._lines("rows/full" if params else "rows")

    def paid(self, by: str = "text") -> Counter[str]:
        """How often each "text" or "custom_id" was accepted and not refunded: answered with
        success, or still running."""
        return Counter(
            row[by]
            for row in self.rows()
            if row["result"] is None or row["result"]["type"] == "succeeded"
        )

    def _call(self, method: str, name: str, **arguments: Any) -> Any:
        with closing(http.client.HTTPConnection(self._address)) as connection:
            body = msgspec.json.encode(arguments) if method == "POST" else None
            connection.request(method, PREFIX + name, body)
            response = connection.getresponse()
            answer = msgspec.json.decode(response.read())
        if response.status != 200:
            raise RuntimeError(answer["error"]["message"])
        return answer

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        with closing(http.client.HTTPConnection(self._address)) as connection:
            connection.request("GET", PREFIX + name)
            response = connection.getresponse()
            for line in response:
                yield msgspec.json.decode(line)
