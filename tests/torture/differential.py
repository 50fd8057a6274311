"""The differential test: rows kept up page by page, with crashes and rivals, or folded at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from eventsourcing.persistence import Notification
from judging import require_same

from dixa_state.fold import FoldResult, Poison
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Connection, Views
from dixa_state.views.projector import BatchResult, EventBatch, Projector
from dixa_state.views.rows import has_views, rows
from dixa_state.views.tables import TABLES, Row

Place = tuple[ConversationTracker, Views]

PAGES = (1, 2, 3, 7, 20, 500)
_CRASH, _RIVAL, _ANOTHER = 0.1, 0.1, 0.2
_AT_WORK: WeakKeyDictionary[Views, "Stumbling"] = WeakKeyDictionary()


class CrashError(Exception):
    """The power fails, after the rows were written and before the commit."""


class Stumbling(Projector):
    """A projector that crashes now and then, and is overtaken by a rival now and then."""

    def __init__(self, place: Place, dice: Random) -> None:
        super().__init__(*place)
        self._place = place
        self.go_on(dice)

    def go_on(self, dice: Random) -> "Stumbling":
        """Go on with other dice."""
        self._dice = dice
        self._page = dice.choice(PAGES)
        return self

    def _fold(self, batch: EventBatch) -> BatchResult:
        page = super()._fold(batch)
        if self._dice.random() < _RIVAL:
            Projector(*self._place, batch_size=self._dice.choice(PAGES)).step()
        return page

    def _write(self, connection: Connection, result: BatchResult) -> None:
        super()._write(connection, result)
        if self._dice.random() < _CRASH:
            raise CrashError


def project_some(place: Place, dice: Random) -> bool:
    """Project one page, or crash over it; false if there was nothing to do.

    Mostly by the projector that was there before, which remembers what it has written.
    """
    before = _AT_WORK.get(place[1])
    if before is None or dice.random() < _ANOTHER:
        before = _AT_WORK[place[1]] = Stumbling(place, dice)
    try:
        return before.go_on(dice).step() is not None
    except CrashError:
        return True


def project_all(place: Place, dice: Random) -> None:
    """Project to the end, however often it takes."""
    while project_some(place, dice):
        pass


def judge_views(place: Place, streams: Sequence[str]) -> None:
    """The rows of these streams are those that a fold from nothing gives, each of them once."""
    tracker, views = place
    position = tracker.event_recorder.max_notification_id() or 0
    require_same("the position of the views", position, views.progress().position)
    with views.transaction() as connection:
        shown = Counter(row for stream in streams for row in _shown(connection, stream))
    folded = Counter(row for stream in streams for row in _from_nothing(tracker, stream))
    for (table, row), times in (folded - shown).items():
        require_same(f"rows of {table}", (row, times), "no such row")
    for (table, row), times in (shown - folded).items():
        require_same(f"rows of {table}", "no such row", (row, times))


def judge_pages(tracker: ConversationTracker, stream: str, dice: Random) -> None:
    """A stream folded further page by page makes the rows that it makes when folded at once."""
    stored = tracker.event_recorder.select_stream(stream)
    at_once = tracker.fold(stored)
    paged = _page_by_page(tracker, stored, dice)
    require_same(f"the state of {stream}", at_once[:2], paged[:2])
    if at_once.state is not None and paged.state is not None:
        require_same(
            f"rows of {stream}", list(rows(stream, at_once.state)), list(rows(stream, paged.state))
        )


def _page_by_page(
    tracker: ConversationTracker, stored: Sequence[Notification], dice: Random
) -> FoldResult:
    folded, done, page = FoldResult(None), 0, dice.choice(PAGES)
    while done < len(stored):
        new = stored[done : done + page]
        done += len(new)
        further = None
        if folded.state is not None:
            further = tracker.fold_further(folded.state, new, folded.recent)
        folded = further or tracker.fold_with_recent(stored[:done])
    return folded


def _from_nothing(tracker: ConversationTracker, stream: str) -> Iterator[tuple[str, Any]]:
    if not has_views(stream):
        return
    stored = tracker.event_recorder.select_stream(stream)
    state = tracker.fold(stored).state
    made: Iterator[Row] = rows(stream, state) if state is not None else iter(())
    yield from ((_TABLE_OF[type(row)], tuple(row)) for row in made)


_TABLE_OF = {row_type: table for table, row_type in TABLES.items()}
_SHOWN: dict[str, Any] = {**TABLES, "poison": Poison}


def _shown(connection: Connection, stream: str) -> Iterator[tuple[str, Any]]:
    for table, row_type in _SHOWN.items():
        columns = ", ".join(row_type._fields)
        sql = f"SELECT {columns} FROM {table} WHERE stream = :stream"  # noqa: S608 — names of ours
        for row in connection.run(sql, stream=stream):
            yield table, tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
