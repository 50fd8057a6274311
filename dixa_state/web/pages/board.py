"""The board: how many conversations of each kind there are now, and the list behind each number."""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import RedirectResponse, Response

from dixa_state.domain.lifecycle import ENDED, RUNNING, STATUSES
from dixa_state.domain.timestamps import format_time
from dixa_state.questions import (
    Conversation,
    Conversations,
    Current,
    CurrentCounts,
    Page,
    Reader,
)
from dixa_state.questions.current import Group
from dixa_state.questions.naming import labelled
from dixa_state.web.pages.frame import HEADERS, View, page, part, question, row_id
from dixa_state.web.pages.live import Board, follow, partial
from dixa_state.web.pages.session import Viewer
from dixa_state.web.server_sent_events import Position, ServerSentEvents, first_position
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

MAX_ROWS = 8 << 10
SHOWN_GROUPS = 15

ANY = "any"
"""The value of the filter on the status that filters nothing."""


class Tile(NamedTuple):
    """A number, its name, and the filters of the rows that it counts."""

    name: str
    number: int
    filters: dict[str, Any]
    note: float | None = None


@router.get("/")
async def show_board(service: TheService, request: Request, by: Group = "queue") -> Response:
    """Return the page."""
    return await service.run_query(request, lambda: _page(service.reader, request, by))


@router.get("/find")
async def find(request: Request, text: str = "") -> Response:
    """Redirect to the conversation of a number, or to those that have these words."""
    view, number = View(request), text.strip().lstrip("#")
    if number.isascii() and number.isdigit():
        return RedirectResponse(view.url(f"/conversations/{number[:20]}"), 303)
    return RedirectResponse(view.url("/", text=text or None, status=ANY), 303)


@router.get("/live")
async def follow_board(  # noqa: PLR0913 — the parameters of the address
    service: TheService,
    request: Request,
    *,
    rows: Annotated[str, Query(max_length=MAX_ROWS)] = "",
    after: Position,
    by: Group = "queue",
    several: bool = False,
    last_event_id: Annotated[str, Header(pattern=r"^(\d{1,18}-\d{1,9})?$")] = "",
) -> Response:
    """Stream what changes on an open board: its rows, its numbers, and how many rows are new."""
    view = View(request, "/", ("rows", "after", "several"))
    position, _, new = last_event_id.partition("-")
    start = await first_position(service, int(position or after))
    listed = list_question(view)
    asked = await service.executor.run(lambda: service.reader.spelled(listed))
    board = Board(view, asked, frozenset(rows.split()), several, start, int(new or 0), {})

    shared = service.board_counts

    async def count() -> CurrentCounts:
        # of the day by now, since a board may stay open for days
        asked = Current(organization=board.asked.organization, by=by, since=view.midnight())

        def ask() -> CurrentCounts:
            return service.reader.ask(asked)

        return await shared.get(repr(asked), lambda: service.executor.run(ask))

    async def draw() -> str:
        found = await count()
        parts = {
            "tiles": part("tiles", view, tiles(found, view)),
            "groups": part("groups", view, by, found.groups[:SHOWN_GROUPS]),
        }
        # A link that has the keyboard's focus keeps it.
        return "".join(partial(name, html, "outerMorph") for name, html in parts.items())

    async def numbers() -> str:
        board.labels.update((await count()).labels)
        return await shared.get((board.kind, view.midnight()), draw)

    return ServerSentEvents(service.live_updates, follow(service, board, numbers), HEADERS)


def _live(view: View, found: Page[Conversation], *, several: bool) -> str:
    """Return the address of what changes on a page."""
    rows = " ".join(row_id(one.organization_id, one.csid) for one in found.items)
    return view.here("/live", rows=rows, after=found.position, several=several or None)


COLUMNS = (
    ("csid", "Conversation"),
    (None, "Status"),
    ("waiting", "Waits"),
    (None, "Queue"),
    (None, "Assignee"),
    (None, "Channel"),
    (None, "SLA"),
    ("-last_event_at", "Last"),
)
"""What the list shows, and the order in which it is sorted by that."""


def _page(reader: Reader, request: Request, by: Group) -> Response:
    view = View(request)
    asked = list_question(view)
    counts = reader.ask(Current(organization=asked.organization, by=by, since=view.midnight()))
    found = reader.ask(asked)
    several = len({one.organization_id for one in found.items}) > 1
    return page(
        view,
        "board.html",
        asked=asked,
        tiles=tiles(counts, view),
        counts=counts,
        by=by,
        page=labelled(found, counts.labels),
        several=several,
        statuses=(*STATUSES, ANY),
        columns=COLUMNS,
        shown_groups=SHOWN_GROUPS,
        live=_live(view, found, several=several),
    )


def list_question(view: View) -> Conversations:
    """Return the list that an address asks for: what runs, where it names no status."""
    names = {field.alias or name for name, field in Conversations.model_fields.items()}
    given = view.given("status")
    status = RUNNING if not given else () if ANY in given else tuple(given)
    return question(Conversations, view, names - {"status"}, status=status)


def tiles(counts: CurrentCounts, view: View) -> list[Tile]:
    """Return the numbers above the list; each filters the list to what it counts."""
    total, today = counts.total, format_time(view.midnight())
    waiting = {"waiting": "true", "sort": "waiting"}
    return [
        *(Tile(status, getattr(total, status), {"status": status}) for status in RUNNING),
        Tile("unassigned", total.unassigned, {"status": "open", "assignee": "none"}),
        Tile("waiting", total.waiting, waiting, total.longest_wait),
        Tile("breached", total.breached, {"sla": "breached"}),
        Tile("due within 1 h", counts.due_soon, {"sla": "due_soon"}),
        *(
            Tile(f"{one} today", getattr(counts, one), {"status": one, "closed_since": today})
            for one in ENDED
        ),
        Tile("reopened today", counts.reopened, {"status": ANY, "reopened_since": today}),
    ]
