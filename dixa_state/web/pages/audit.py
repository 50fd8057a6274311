"""The audit: transitions of all conversations, lost webhooks with their evidence, both as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from dixa_state.domain.events import Field as LostField
from dixa_state.domain.lifecycle import STATUSES
from dixa_state.domain.losses import Proof
from dixa_state.domain.timestamps import format_time
from dixa_state.questions import (
    Answer,
    Loss,
    Missed,
    PagedQuestion,
    Reader,
    Transition,
    TransitionMatrix,
    Transitions,
)
from dixa_state.questions.naming import labelled
from dixa_state.web.pages.frame import HEADERS, View, page, question
from dixa_state.web.pages.session import Viewer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

ALWAYS = "always"
"""The value of `since` that leaves nothing out; without one, the reader's day."""

Kind = Literal["transitions", "missed"]
_KINDS: dict[Kind, tuple[type[PagedQuestion[Any]], type[Answer], set[str]]] = {
    "transitions": (
        Transitions,
        Transition,
        {"organization", "from", "to", "until", "irregular", "inferred", "late"},
    ),
    "missed": (Missed, Loss, {"organization", "field", "proof", "until"}),
}
"""The lists of the page: the question, what it lists, and its filters besides `since`."""

_SORTS: dict[Kind, dict[str, str]] = {"transitions": {"sort": "-at"}, "missed": {}}
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@router.get("/audit")
async def show_audit(
    service: TheService,
    request: Request,
    kind: Annotated[Kind, Query(alias="list")] = "transitions",
) -> Response:
    """Return the page."""
    return await service.run_query(request, lambda: _page(service.reader, request, kind))


@router.get("/audit.csv")
async def download(
    service: TheService,
    request: Request,
    kind: Annotated[Kind, Query(alias="list")] = "transitions",
) -> Response:
    """Return what the page lists, all of it, as CSV."""
    view = View(request, "/audit")
    named = {"Content-Disposition": f'attachment; filename="{kind}.csv"'}
    listed = _listed(view, kind)

    def begun() -> Iterator[Any]:
        items = service.reader.every(listed)
        return chain(list(islice(items, 1)), items)  # what is wrong with the question is said now

    lines = _lines(_KINDS[kind][1], await service.run_query(request, begun))
    return StreamingResponse(lines, headers=HEADERS | named, media_type="text/csv; charset=utf-8")


def _listed(view: View, kind: Kind, *more: str) -> PagedQuestion[Any]:
    asked, _, filters = _KINDS[kind]
    return question(asked, view, {*filters, *more}, since=_since(view), **_SORTS[kind])


def _page(reader: Reader, request: Request, kind: Kind) -> Response:
    view = View(request)
    return page(
        view,
        f"{kind}.html",
        page=labelled(reader.ask(_listed(view, kind, "pageKey", "pageLimit"))),
        kind=kind,
        periods=_periods(view),
        **(_matrix(reader, view) if kind == "transitions" else _CHOICES),
    )


def _matrix(reader: Reader, view: View) -> dict[str, Any]:
    """Return the counts, which stay whole when one of their cells is opened."""
    filters = _KINDS["transitions"][2] - {"from", "to"}
    asked = question(TransitionMatrix, view, filters, since=_since(view))
    cells = {(one.from_status, one.to_status): one for one in reader.ask(asked).items}
    total = sum(one.count for one in cells.values())
    return {"cells": cells, "total": total, "statuses": STATUSES}


_CHOICES = {"fields": get_args(LostField), "proofs": get_args(Proof)}


def _since(view: View) -> datetime | str | None:
    [*_, given] = view.given("since") or [format_time(view.midnight())]
    return None if given == ALWAYS else given


def _periods(view: View) -> list[tuple[str, str | None]]:
    days = [(7, "7 days"), (30, "30 days")]
    back = [(name, format_time(view.midnight() - timedelta(days=n - 1))) for n, name in days]
    return [("today", None), *back, ("always", ALWAYS)]


def _lines(listed: type[Answer], items: Iterator[Answer]) -> Iterator[str]:
    """Yield the lines of the file; its columns are the fields of the answer."""
    names = [field.alias or name for name, field in listed.model_fields.items()]
    yield ",".join(names) + "\r\n"
    for item in items:
        given: dict[str, Any] = item.model_dump(mode="json", by_alias=True)
        line = io.StringIO()
        csv.writer(line).writerow(_cell(given[name]) for name in names)
        yield line.getvalue()


def _cell(value: Any) -> Any:
    """Return what a cell holds; a spreadsheet would run a text that begins as a formula does."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("email") or value.get("id")
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
