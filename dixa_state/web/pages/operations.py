"""How the service is: what came in, how far behind it is, and what needs somebody."""

from collections import Counter

from fastapi import APIRouter, Request
from starlette.responses import Response

from dixa_state.questions import Operations
from dixa_state.web.metrics import Metrics
from dixa_state.web.operations import readiness
from dixa_state.web.pages.frame import page
from dixa_state.web.pages.session import Viewer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

_OUTCOMES = ("appended", "duplicate", "quarantined")


@router.get("/operations")
async def show_operations(service: TheService, request: Request) -> Response:
    """Return the page."""
    found, reader = await readiness(service), service.reader

    def render() -> Response:
        return page(
            request,
            "operations.html",
            readiness=found,
            report=reader.ask(Operations()),
            received=dict.fromkeys(_OUTCOMES, 0) | _totals(service.metrics, "received", "outcome"),
            refused=_totals(service.metrics, "refused", "reason"),
        )

    return await service.run_query(request, render)


def _totals(metrics: Metrics, name: str, label: str) -> dict[str, int]:
    """Return what a counter has come to since the start, by one of its labels."""
    totals: Counter[str] = Counter()
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == f"dixa_state_webhooks_{name}_total":
                totals[sample.labels[label]] += int(sample.value)
    return dict(totals.most_common())
