"""What all pages share: the templates, how times and durations read, links, and the policy."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dixa_state.domain.lifecycle import RUNNING
from dixa_state.domain.timestamps import format_time, in_zone
from dixa_state.errors import InvalidInputError
from dixa_state.questions import Question
from dixa_state.questions.question import describe_errors, moments
from dixa_state.web.service import Service

Q = TypeVar("Q", bound=Question[Any])

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ASSETS = "/assets"
COOKIE = "dixa_state_session"
"""What says who has signed in."""

ZONE_COOKIE = "dixa_state_zone"
"""Where the browser's script says which time zone the reader is in."""

_MACHINES = ("/v1/", "/webhooks/", "/metrics", "/healthz", "/readyz", "/openapi.json", ASSETS)
_OF_NO_ORGANIZATION = ("/docs", "/login", "/logout", "/webhooks/", ASSETS)
_NOTHING = "\N{EN DASH}"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

_templates = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # it would ask for the file's time at every row of an open board
)


class Assets(StaticFiles):
    """The files of the pages; their addresses name their content, so they may be kept for ever."""

    def __init__(self) -> None:
        """Serve the package's folder."""
        super().__init__(packages=[(__package__, "static")])

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with the permission to keep it."""
        response = await super().get_response(path, scope)
        if scope["query_string"]:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


@cache
def _fingerprint(name: str) -> str:
    return sha256((files(__package__) / "static" / name).read_bytes()).hexdigest()[:12]


class View:
    """One rendering for one reader: links below the service's own path, times in the zone."""

    def __init__(
        self, request: Request, path: str | None = None, apart: Collection[str] = ()
    ) -> None:
        """Render for this request, or for the page at `path` if it asks for a part of one.

        `apart` are parameters of the request that are none of the page's.
        """
        service: Service = request.app.state.service
        self._root: str = request.app.state.root_path
        self.now = service.tracker.now()
        self.zone = _zone(request.cookies.get(ZONE_COOKIE))
        self.path = path or request.url.path
        given = request.query_params.multi_items()
        self.query = [(name, value) for name, value in given if value and name not in apart]
        self.signed_in = COOKIE in request.cookies
        """Whether there is a session that can be ended."""
        self.moments: dict[str, str] = {}
        """Times that links to other pages of a list have, whatever text the address has."""

    def url(self, path: str, **query: Any) -> str:
        """Return the address of a page, with the values that are not None.

        Pages keep the organization that was chosen, but for those of none, unless it is "" here.
        """
        keeps = not path.startswith(_OF_NO_ORGANIZATION)
        if keeps and query.get("organization") is None:
            query["organization"] = self.given("organization")[-1:] or None
        pairs = [(n.rstrip("_"), value) for n, value in query.items() if value not in (None, "")]
        return f"{self._root}{path}" + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")

    def asset(self, name: str) -> str:
        """Return the address of a file, which changes with its content."""
        return self.url(f"{ASSETS}/{name}", v=_fingerprint(name))

    def here(self, path: str | None = None, /, **changes: Any) -> str:
        """Return this address with some values changed; None takes one away, and so its page."""
        gone = {*(name.rstrip("_") for name in changes), "pageKey"}
        fixed = self.moments if "pageKey" in changes else {}
        kept: dict[str, list[str]] = {}
        for name, value in self.query:
            if name not in gone:
                kept.setdefault(name, []).append(fixed.get(name, value))
        return self.url(path or self.path, **kept, **changes)

    def is_at(self, path: str, query: dict[str, Any]) -> bool:
        """Return whether this is the address of a page and these values, whatever their order."""
        wanted = {
            (name, one)
            for name, value in query.items()
            for one in (value if isinstance(value, list) else [value])
        }
        return self.path == path and wanted == {
            pair for pair in self.query if pair[0] not in ("by", "organization", "pageKey")
        }

    def given(self, name: str) -> list[str]:
        """Return the values of a parameter of this address."""
        return [value for key, value in self.query if key == name]

    def midnight(self) -> datetime:
        """Return when the reader's day began."""
        local = self.now.astimezone(self.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def clock(self, time: datetime | None, *, precise: bool = False) -> Markup:
        """Return a time in the reader's zone, with UTC on hover."""
        if time is None:
            return escape(_NOTHING)
        local, today = in_zone(time, self.zone), self.now.astimezone(self.zone)
        day = "" if local.date() == today.date() else f"{local.day} {local:%b} "
        year = "" if local.year == today.year else f"{local.year} "
        shown = f"{day}{year}{local:%H:%M:%S}" if precise else f"{day}{year}{local:%H:%M}"
        return _time(time, shown)

    def age(self, time: datetime | None) -> Markup:
        """Return how long ago a time was, which the browser's script keeps true."""
        if time is None:
            return escape(_NOTHING)
        return _time(time, span(max((self.now - time).total_seconds(), 0)), " data-age")


def _time(time: datetime, shown: str, data: str = "") -> Markup:
    # Nothing in it needs escaping, which takes a tenth of a board's time.
    title = f"{time:%Y-%m-%d %H:%M:%S} UTC"
    return Markup(f'<time{data} datetime="{format_time(time)}" title="{title}">{shown}</time>')  # noqa: S704


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # anybody can write a cookie
        return UTC


def span(seconds: float | timedelta | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return _NOTHING
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    sign, total = ("-" if total < 0 else ""), abs(total)
    if total < _MINUTE:
        return f"{sign}{total:.0f} s"
    if total < _HOUR:
        return f"{sign}{total // _MINUTE:.0f} min"
    if total < _DAY:
        return f"{sign}{total // _HOUR:.0f} h {total % _HOUR // _MINUTE:02.0f}"
    return f"{sign}{total // _DAY:.0f} d {total % _DAY // _HOUR:.0f} h"


def words(name: object) -> str:
    """Return a name of the code as words for people."""
    return str(name).replace("_", " ")


def event(topic: str) -> str:
    """Return the name of an event as words for people."""
    return words(topic.removeprefix("conversation.").replace("sla.", "SLA "))


def moment(time: datetime | None) -> str | None:
    """Return a time as an address has it."""
    return None if time is None else format_time(time)


@lru_cache(10_000)  # each open board asks for those of all that changes
def row_id(organization_id: str | None, csid: int) -> str:
    """Return the id of the row of a conversation; an organization's own id may hold anything."""
    return f"c-{csid}-{sha256(repr(organization_id).encode()).hexdigest()[:8]}"


_templates.globals.update(row_id=row_id, running=RUNNING)
_templates.filters.update(span=span, words=words, moment=moment, event=event)


def page(view: View, template: str, status_code: int = 200, **values: Any) -> Response:
    """Return a page."""
    html = _templates.get_template(template).render(v=view, **values)
    return HTMLResponse(html, status_code, headers=HEADERS)


HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": "Cookie"}


def part(name: str, view: View, *values: Any, **named: Any) -> str:
    """Return a part of the board."""
    macro = getattr(_templates.get_template("rows.html").module, name)
    return str(macro(view, *values, **named))


def question(kind: type[Q], view: View, only: Collection[str], **fixed: Any) -> Q:
    """Return the question that `only` these parameters of an address ask.

    Links to other pages of a list then have its times in place of texts such as `-7d`, which move.

    Raises `InvalidInputError` as the API does.
    """
    given: dict[str, Any] = {}
    for key, field in kind.model_fields.items():
        name = field.alias or key
        values = view.given(name) if name in only else []
        if values:
            given[name] = values if field.default == () else values[-1]
    try:
        asked = kind.model_validate({**given, **fixed})
    except ValidationError as error:
        message, _ = describe_errors(error.errors())
        raise InvalidInputError(message) from error
    view.moments |= moments(asked)
    return asked


def wants_page(request: Request) -> bool:
    """Return whether a person asks, and not a program."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith(_MACHINES)
