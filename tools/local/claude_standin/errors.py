"""Errors in Anthropic's shape."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
MESSAGES = {
    401: "API key is invalid.",
    403: "Your API key does not have permission to use the specified resource.",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    503: "Service temporarily unavailable",
    529: "Overloaded",
}
# What an error code says of itself (SDK 2.13.0, types/shared, 2026-11), in the message's place.
CODES = {
    "workspace_human_review_disabled": (
        "The request's Workspace has Human Review turned off, and this operation is not available "
        "there. Use a Workspace with Human Review on."
    ),
}


@dataclass
class ApiError(Exception):
    """One error answer; `type` and `message` follow from `status` unless given.

    `details` holds `error_code` where the API gives one (2026-10). A proxy in front of the API
    answers otherwise, with status 200 too: `html` with a page, `raw` with this very body.
    """

    status: int
    message: str = ""
    type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] | None = None
    html: bool = False
    raw: str | None = None

    @property
    def error(self) -> dict[str, Any]:
        code = (self.details or {}).get("error_code", "")
        usual = CODES.get(code) or MESSAGES.get(self.status, _phrase(self.status))
        error: dict[str, Any] = {
            "type": self.type or TYPES.get(self.status, "api_error"),
            "message": self.message or usual,
        }
        return error | ({"details": self.details} if self.details else {})

    @property
    def page(self) -> str:
        title = f"{self.status} {_phrase(self.status)}"
        return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"


def _phrase(status: int) -> str:
    known = {s.value for s in HTTPStatus}
    return HTTPStatus(status).phrase if status in known else "Overloaded"


def invalid(message: str) -> ApiError:
    return ApiError(400, message)


def not_found(message: str) -> ApiError:
    return ApiError(404, message, headers={"x-should-retry": "false"})
