"""Replay: all views rebuilt from the event store beside the live ones, then shown in their place.

The live views stay readable, and up to date, until the one transaction that switches. What an
interrupted replay has left behind is cleaned up by the next one.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from dixa_state.errors import StoreError
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import (
    BUILDING,
    LIVE,
    RETIRED,
    Connection,
    Lead,
    Poison,
    Progress,
    Views,
)
from dixa_state.views.projector import Projector
from dixa_state.views.ranges import Range, fold_range, on_all_cores, split
from dixa_state.views.rows import rows
from dixa_state.views.tables import TABLES, VIEW_VERSION, Row, group

Report = Callable[[int], None]
"""Told after each range how many events have been folded."""

_CLOSE = 200
"""How many events behind the store the new views may be when they are shown."""


class Built(NamedTuple):
    """The rows of a range, and what could not be folded in it."""

    events: int
    rows: dict[str, list[Row]]
    poison: list[Poison]


def replay(
    tracker: ConversationTracker,
    views: Views,
    open_tracker: Callable[[], ConversationTracker],
    progress: Report = lambda _done: None,
) -> Progress:
    """Rebuild all views and switch to them; give where they are then.

    `open_tracker` opens the same store in a worker process. Raises `StoreError` if another replay
    is at work, or if an event cannot be folded: then the live views stay as they are.
    """
    with views.leading("replay") as lead:
        if lead is None:
            raise StoreError("replay: another one is at work on this store")
        building = _begin(tracker, views)
        try:
            parts = split(tracker.event_recorder, building.position)
            ranges = on_all_cores(build_range, parts, open_tracker)
            _fill(views, lead, building, ranges, progress)
            shown = _switch(tracker, views, lead, building)
        except BaseException:
            with suppress(StoreError):
                _give_up(views, building)
            raise
        with views.transaction(write=True) as connection:
            _drop(views, connection, RETIRED)
        return shown


def _begin(tracker: ConversationTracker, views: Views) -> Progress:
    """Drop what nobody reads, and begin a generation.

    Its number is new, so that an interrupted replay which goes on after all cannot write to it.
    """
    position = tracker.event_recorder.max_notification_id() or 0
    with views.transaction(write=True) as connection:
        live = views.read_progress(connection)
        left = [_drop(views, connection, name) for name in (BUILDING, RETIRED)]
        generation = 1 + max(known.generation for known in (live, *left) if known)
        building = Progress(generation, VIEW_VERSION, 0).moved(position, tracker.grace)
        views.create(connection, generation, indexes=False)
        views.set_progress(connection, BUILDING, building)
    return building


def _fill(
    views: Views, lead: Lead, building: Progress, ranges: Iterable[Built], progress: Report
) -> None:
    """Fill the tables, and index them one transaction at a time: writers get their turn."""
    done = 0
    for built in ranges:
        _load(views, building, built)
        lead.keep()
        done += built.events
        progress(done)
    for index in views.indexes(building.generation):
        with views.transaction(write=True) as connection:
            connection.run(index)
        lead.keep()


def _load(views: Views, building: Progress, built: Built) -> None:
    if built.poison:
        raise _poisoned(built.poison[0])
    with views.transaction(write=True) as connection:
        for table, some in built.rows.items():
            connection.load(f"{building.prefix}{table}", TABLES[table], some)


def build_range(tracker: ConversationTracker, part: Range) -> Built:
    """Make the rows of a range."""
    made: list[Row] = []
    poison: list[Poison] = []
    events = 0
    for stream, folded in fold_range(tracker, part):
        events += folded.state.version if folded.state else 0
        poison += folded.poison
        if folded.state is not None:
            made += rows(stream, folded.state)
    return Built(events, group(made), poison)


def _switch(tracker: ConversationTracker, views: Views, lead: Lead, building: Progress) -> Progress:
    """Catch up what has come in since, and show the new generation instead of the old one."""
    projector = Projector(tracker, views, name=BUILDING)
    while (tracker.event_recorder.max_notification_id() or 0) - _at(views) > _CLOSE:
        projector.step()
        lead.keep()
    while True:
        projector.step()
        lead.keep()
        with views.transaction(write=True) as connection:
            shown = _show(views, connection, building.generation)
        if shown is not None:
            return shown


def _at(views: Views) -> int:
    return views.progress(BUILDING).position


def _show(views: Views, connection: Connection, generation: int) -> Progress | None:
    """Switch, unless the live views have been further than the new ones are."""
    live = views.read_progress(connection, LIVE, hold=True)
    building = views.read_progress(connection, BUILDING, hold=True)
    if building is None or building.generation != generation:
        raise StoreError("replay: the views being built are gone; another one has dropped them")
    if live is not None and live.position > building.position:
        return None
    views.show(connection, generation)
    views.set_progress(connection, LIVE, building)
    views.forget_progress(connection, BUILDING)
    if live is not None:
        views.set_progress(connection, RETIRED, live)
    return building


def _give_up(views: Views, building: Progress) -> None:
    with views.transaction(write=True) as connection:
        found = views.read_progress(connection, BUILDING)
        if found is not None and found.generation == building.generation:
            _drop(views, connection, BUILDING)


def _drop(views: Views, connection: Connection, name: str) -> Progress | None:
    """Drop a generation that nobody reads: a retired one, or one that was never finished."""
    found = views.read_progress(connection, name)
    if found is not None:
        views.drop(connection, found.generation)
        views.forget_progress(connection, name)
    return found


def _poisoned(poison: Poison) -> StoreError:
    return StoreError(
        f"replay: event {poison.position} of {poison.stream} cannot be folded: {poison.error}; "
        "the views stay as they were"
    )
