"""The SLA page: what is about to be breached, and how promises were kept over a period."""

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from dixa_state.questions import Attainment, Reader, SlaEvaluation, SlaEvaluations, Stats
from dixa_state.questions.naming import labelled
from dixa_state.web.pages.frame import View, page, question
from dixa_state.web.pages.session import Viewer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

By = Literal["queue", "agent", "channel", "tag"]
Period = Literal["today", "-7d", "-30d"]
PERIODS: tuple[tuple[Period, str, str], ...] = (
    ("today", "today", "-1d"),
    ("-7d", "7 days", "-7d"),
    ("-30d", "30 days", "-30d"),
)
_URGENT = ("overdue", "breached_open", "due_soon")
MEASURES = ("first_response", "next_response", "first_resolution", "full_resolution")
_FILTERS = {"organization", "status", "queue", "agent", "channel", "tag", "pageKey", "pageLimit"}


@router.get("/sla")
async def show_sla(
    service: TheService, request: Request, by: By = "queue", period: Period = "-7d"
) -> Response:
    """Return the page."""
    return await service.run_query(request, lambda: _page(service.reader, request, by, period))


def _page(reader: Reader, request: Request, by: By, period: Period) -> Response:
    view = View(request)
    compare = next(earlier for name, _, earlier in PERIODS if name == period)
    during = {"since": period, "time_zone": str(view.zone)}
    compared = {**during, "compare": compare, "by": None}
    only = _FILTERS - {"status", "pageKey", "pageLimit"}
    stats = reader.spelled(question(Stats, view, only, **compared))
    numbers, before = stats.measured(reader, MEASURES)
    listed = question(SlaEvaluations, view, _FILTERS, **during) if view.given("status") else None
    urgent = {state: _in_state(reader, view, state) for state in _URGENT}
    return page(
        view,
        "sla.html",
        urgent=labelled(urgent),
        shares=reader.ask(question(Attainment, view, only, **compared | {"by": by})).items,
        measures=[(name, numbers[name], before[name]) for name in MEASURES],
        listed=labelled(reader.ask(listed)) if listed else None,
        by=by,
        period=period,
        periods=PERIODS,
    )


def _in_state(reader: Reader, view: View, state: str) -> list[SlaEvaluation]:
    """Return those in a state, the one with the least time left first."""
    asked = question(SlaEvaluations, view, {"organization"}, status=(state,), page_limit=200)
    found = reader.ask(asked).items
    return sorted(found, key=lambda one: (one.deadline is None, one.deadline or one.began_at))
