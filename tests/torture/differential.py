"""The differential test: rows kept up page by page, with crashes and rivals, or folded at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from eventsourcing.persistence import Notification
from judging import require_same

from dixa_state.tracker import ConversationTracker
from dixa_state.views.fold import Folded, fold_further, fold_stream, is_shown
from dixa_state.views.generations import Connection, Poison, Views
from dixa_state.views.projector import News, Page, Projector
from dixa_state.views.rows import rows
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

    def _fold(self, news: News) -> Page:
        page = super()._fold(news)
        if self._dice.random() < _RIVAL:
            Projector(*self._place, page=self._dice.choice(PAGES)).step()
        return page

    def _write(self, connection: Connection, page: Page) -> None:
        super()._write(connection, page)
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
    at_once = fold_stream(stream, stored, tracker.read, tracker.grace)
    paged = _page_by_page(tracker, stream, stored, dice)
    require_same(f"the state of {stream}", at_once, paged)
    if at_once.state is not None and paged.state is not None:
        require_same(
            f"rows of {stream}", list(rows(stream, at_once.state)), list(rows(stream, paged.state))
        )


def _page_by_page(
    tracker: ConversationTracker, stream: str, stored: Sequence[Notification], dice: Random
) -> Folded:
    folded, done, page = Folded(None), 0, dice.choice(PAGES)
    while done < len(stored):
        new = stored[done : done + page]
        done += len(new)
        further = None
        if folded.state is not None:
            further = fold_further(folded.state, stream, new, tracker.read, tracker.grace)
        folded = further or fold_stream(stream, stored[:done], tracker.read, tracker.grace)
    return folded


def _from_nothing(tracker: ConversationTracker, stream: str) -> Iterator[tuple[str, Any]]:
    if not is_shown(stream):
        return
    stored = tracker.event_recorder.select_stream(stream)
    state = fold_stream(stream, stored, tracker.read, tracker.grace).state
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
