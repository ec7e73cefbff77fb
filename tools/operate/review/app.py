"""The page: a few addresses, each of which does one thing and leads back to the ticket."""

from pathlib import Path
from threading import Lock

from flask import Flask, abort, redirect, request
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from nightshift.errors import NightshiftError
from nightshift.task.outputs import NotAllowed, Unsure
from tools import words
from tools.operate.review import shown
from tools.operate.review.guard import Guard
from tools.operate.review.sitting import Sitting
from tools.operate.stack import Unusable, explained
from tools.pages.templates import PAGES, environment

HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {
    file.name: file
    for file in (PAGES / "look.css", HERE / "review.css", HERE / "keys.js", HERE / "moon.svg")
}
# Bytes of a form: a digest, the name of an output, a label.
_LARGEST_FORM = 16_384


def application(sitting: Sitting, guard: Guard, stack: str) -> Flask:
    """The page of one sitting, for whoever the guard lets in."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_FORM
    app.before_request(lambda: guard.refused(request))
    app.after_request(guard.sealed)
    page = _Page(sitting, stack, guard.place)
    app.add_url_rule(guard.place, view_func=page.look)
    app.add_url_rule(f"{guard.place}look/<name>", view_func=asset)
    for change in (page.choose, page.skip, page.undo, page.take_skipped):
        app.add_url_rule(f"{guard.place}{change.__name__}", view_func=change, methods=["POST"])
    for outage in (Unusable, NightshiftError):
        app.register_error_handler(outage, lambda said: page.failed(str(said), 502))
    for misfit in (NotAllowed, Unsure):
        app.register_error_handler(misfit, lambda _: page.failed("That was no choice.", 400))
    app.register_error_handler(HTTPException, lambda e: page.failed(f"{e.name}.", e.code or 500))
    return app


class _Page:
    """What each address shows or does. One request at a time: a browser may open two tabs."""

    def __init__(self, sitting: Sitting, stack: str, place: str) -> None:
        self._sitting, self._stack, self._place = sitting, stack, place
        self._one_at_a_time = Lock()
        self._templates = environment(HERE)
        self._templates.filters |= {"spoken": words.spoken, "as_written": _as_written}

    def look(self) -> Response:
        """The ticket to decide, or that there is none."""
        with self._one_at_a_time, explained():
            doubt = self._sitting.current()
            notes, self._sitting.notes = self._sitting.notes, []
        if doubt is None:
            return self._rendered("nothing", notes=notes)
        task = self._sitting.task
        return self._rendered(
            "ticket",
            notes=notes,
            doubt=doubt,
            texts=shown.texts(task, doubt.ticket),
            questions=list(shown.questions(task, doubt)),
            settled=shown.settled(task, doubt),
        )

    def choose(self) -> Response:
        form = request.form
        with self._one_at_a_time, explained():
            self._sitting.choose(form["seen"], form["output"], form["value"])
        return self._back()

    def skip(self) -> Response:
        with self._one_at_a_time:
            self._sitting.skip(request.form["seen"])
        return self._back()

    def undo(self) -> Response:
        with self._one_at_a_time, explained():
            self._sitting.undo()
        return self._back()

    def take_skipped(self) -> Response:
        with self._one_at_a_time:
            self._sitting.take_skipped()
        return self._back()

    def failed(self, said: str, status: int) -> Response:
        return self._rendered("failed", status, said=said)

    def _back(self) -> Response:
        return redirect(self._place, 303)

    def _rendered(self, name: str, status: int = 200, **values: object) -> Response:
        told = {
            "sitting": self._sitting,
            "stack": self._stack,
            "place": self._place,
            "count": words.count,
            "notes": [],
        }
        template = self._templates.get_template(f"{name}.html.j2")
        return Response(template.render(told | values), status, mimetype="text/html")


def asset(name: str) -> Response:
    """A style, the script of the keys, the picture of the tab."""
    file = _ASSETS.get(name) or abort(404)
    return Response(file.read_bytes(), mimetype=_TYPES[file.suffix])


def _as_written(text: str) -> Markup:
    """A customer's text: escaped, with the joiners that some scripts and emoji need."""
    return Markup(escape(text))  # noqa: S704 (what is marked is escaped in this very line)
