"""How the service is: what came in, how far behind it is, and what needs somebody."""

from collections import Counter
from datetime import datetime
from typing import Literal, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dixa_state.errors import NotFoundError
from dixa_state.questions import Operations
from dixa_state.web.metrics import Metrics
from dixa_state.web.middleware import add_log_fields
from dixa_state.web.operations import readiness
from dixa_state.web.pages.frame import View, page
from dixa_state.web.pages.session import MayWrite, SameOrigin, Viewer, Writer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

Outcome = Literal["appended", "duplicate", "quarantined", "discarded"]
_OUTCOMES = ("appended", "duplicate", "quarantined")
_HEIGHT = 80.0


@router.get("/operations")
async def show_operations(
    service: TheService, request: Request, writes: MayWrite, outcome: Outcome | None = None
) -> Response:
    """Return the page; `outcome` is what became of a body that was in quarantine."""
    found = await readiness(service)

    def render() -> Response:
        return page(
            View(request),
            "operations.html",
            readiness=found,
            report=service.reader.ask(Operations()),
            received=dict.fromkeys(_OUTCOMES, 0) | _totals(service.metrics, "received"),
            refused=_totals(service.metrics, "refused"),
            bars=_bars(service.metrics),
            height=_HEIGHT,
            writes=writes,
            outcome=outcome,
        )

    return await service.run_query(request, render)


@router.post("/operations/quarantine/{number}/{action}", dependencies=[Writer, SameOrigin])
async def settle(
    service: TheService, request: Request, number: int, action: Literal["retry", "discard"]
) -> Response:
    """Retry or discard a body in quarantine, and return to the page."""
    tracker = service.tracker
    add_log_fields(request.scope, lambda: {"quarantine_id": number, "action": action})

    def change() -> Outcome:
        if action == "discard":
            tracker.discard_quarantined([number])
            return "discarded"
        outcomes = tracker.retry_quarantined([number])
        if not outcomes:
            raise NotFoundError(f"quarantine: expected the number of a body in it, got {number}")
        return outcomes[0].kind

    outcome = await service.executor.run(change)
    url = View(request).url("/operations", outcome=outcome)
    return RedirectResponse(f"{url}#quarantine", 303)


class Bar(NamedTuple):
    """The webhooks of a minute, as parts of one height each that stand on each other."""

    minute: datetime
    total: int
    parts: list[tuple[str, int, float, float]]


def _bars(metrics: Metrics) -> list[Bar]:
    """Return the last hour, a bar a minute; each part is its kind, its count, place and height."""
    minutes = metrics.last_hour.minutes()
    most = max((counts.total() for _, counts in minutes), default=0) or 1
    made = []
    for minute, counts in minutes:
        parts, top = [], _HEIGHT
        for kind in (*_OUTCOMES, "refused"):
            height = counts[kind] / most * _HEIGHT
            top -= height
            parts += [(kind, counts[kind], round(top, 1), round(height, 1))] if height else []
        made.append(Bar(minute, counts.total(), parts))
    return made


def _totals(metrics: Metrics, name: str) -> dict[str, int]:
    """Return what a counter has come to since the start, by the first of its labels."""
    totals: Counter[str] = Counter()
    for counter, labels, count in metrics.counts():
        if counter == f"webhooks_{name}":
            totals[labels[0]] += int(count)
    return dict(totals.most_common())
