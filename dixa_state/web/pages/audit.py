"""The audit: transitions of all conversations, how many led from where to where, and as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from dixa_state.domain.lifecycle import STATUSES
from dixa_state.domain.timestamps import format_time
from dixa_state.questions import Reader, Transition, TransitionMatrix, Transitions
from dixa_state.web.pages.frame import HEADERS, View, page, question
from dixa_state.web.pages.session import Viewer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

ALWAYS = "always"
"""The value of `since` that leaves nothing out; without one, the reader's day."""

_FILTERS = {"organization", "from", "to", "since", "until", "irregular", "inferred", "late"}
_COLUMNS = ("organization_id", "csid", "sequence", "from", "to", "at", "received_at", "event")
_MORE = ("event_id", "actor", "holder", "irregular", "inferred", "late", "seconds_in_previous")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@router.get("/audit")
async def show_audit(service: TheService, request: Request) -> Response:
    """Return the page."""
    reader = service.reader
    return await service.run_query(request, lambda: _page(reader, request))


@router.get("/audit.csv")
async def download(service: TheService, request: Request) -> Response:
    """Return the transitions that the page lists, all of them, as CSV."""
    view = View(request, service.tracker.now(), "/audit")
    asked = question(Transitions, view, _FILTERS - {"since"}, since=_since(view))
    named = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    lines = _lines(service.reader.every(asked))
    return StreamingResponse(lines, headers=HEADERS | named, media_type="text/csv; charset=utf-8")


def _page(reader: Reader, request: Request) -> Response:
    view = View(request, reader.now())
    since = _since(view)
    asked = question(
        Transitions, view, _FILTERS - {"since"} | {"pageKey", "pageLimit"}, since=since
    )
    # The matrix stays whole when one of its cells is opened.
    matrix = question(TransitionMatrix, view, _FILTERS - {"since", "from", "to"}, since=since)
    cells = {(one.from_status, one.to_status): one for one in reader.ask(matrix).items}
    return page(
        request,
        "audit.html",
        page=reader.ask(asked),
        cells=cells,
        total=sum(one.count for one in cells.values()),
        since=since,
        statuses=STATUSES,
        periods=_periods(view),
    )


def _since(view: View) -> datetime | str | None:
    [*_, given] = view.given("since") or [format_time(view.midnight())]
    return None if given == ALWAYS else given


def _periods(view: View) -> list[tuple[str, str | None]]:
    days = [(7, "7 days"), (30, "30 days")]
    back = [(name, format_time(view.midnight() - timedelta(days=n - 1))) for n, name in days]
    return [("today", None), *back, ("always", ALWAYS)]


def _lines(transitions: Iterator[Transition]) -> Iterator[str]:
    yield ",".join((*_COLUMNS, *_MORE)) + "\r\n"
    for transition in transitions:
        given: dict[str, Any] = transition.model_dump(mode="json", by_alias=True)
        line = io.StringIO()
        csv.writer(line).writerow(_cell(given[name]) for name in (*_COLUMNS, *_MORE))
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """Return what a cell holds; a spreadsheet would run a text that begins as a formula does."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("email") or value.get("id")
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
