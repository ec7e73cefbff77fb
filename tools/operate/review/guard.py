"""Who may see the page: whoever has the address that the terminal shows, and nobody else.

All of it stands under a path that is a token, which opens once: the first visit exchanges it for a
cookie of that path. A browser hands the cookies of a host to every port of it, but that path is
known to nobody else. Each request must name this very host and port (else another site's name could
lead here), and each change must come from a page of this origin (else another site, or another port
of this machine, could send it).
"""

from hmac import compare_digest
from secrets import token_urlsafe
from threading import Lock

from flask import Request, redirect
from werkzeug.wrappers import Response

HOST = "127.0.0.1"
_COOKIE = "nightshift_review"
_REFUSED = (
    "This page opens only by the address that `make review` shows in the terminal, and each "
    "address opens it once.\nEnd the command with Ctrl-C and start it again for a new one. Nothing "
    "that you have decided is lost.\n"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: browsers would then send the origin of a form as `null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """The door of one page, at one port of this machine; `place` is the path of all of it."""

    def __init__(self, port: int) -> None:
        self._host = f"{HOST}:{port}"
        self._session = token_urlsafe(32)
        self._first_visit = Lock()
        self.place = f"/{token_urlsafe(32)}/"
        self.origin = f"http://{self._host}"
        self.address = f"{self.origin}{self.place}"

    def refused(self, request: Request) -> Response | None:
        """What to answer instead of the page; None for whoever may see it."""
        if request.host != self._host:
            return _no()
        if request.method != "GET" and request.headers.get("Origin") != self.origin:
            return _no()
        if self._is_known(request):
            return None
        return self._let_in() if _same(request.path, self.place) else _no()

    def sealed[R: Response](self, response: R) -> R:
        """An answer that no cache keeps, no frame shows, and that runs and loads only our own."""
        response.headers.update(_HEADERS)
        return response

    def _is_known(self, request: Request) -> bool:
        return _same(request.cookies.get(_COOKIE, ""), self._session)

    def _let_in(self) -> Response:
        """Once; the lock is never given back."""
        if not self._first_visit.acquire(blocking=False):
            return _no()
        response = redirect(self.place, 303)
        response.set_cookie(
            _COOKIE, self._session, path=self.place, httponly=True, samesite="Strict"
        )
        return response


def _same(given: str, wanted: str) -> bool:
    return compare_digest(given.encode(), wanted.encode())


def _no() -> Response:
    return Response(_REFUSED, 403, mimetype="text/plain")
