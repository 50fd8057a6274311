"""Replay: all views are rebuilt from the event store beside the live ones, which they then replace.

The live views stay readable, and up to date, until the one transaction that switches. The next
replay drops what an interrupted one has left.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import sleep
from typing import NamedTuple

from dixa_state.errors import LockTimeoutError, StoreError
from dixa_state.fold import Poison, require_foldable
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import BUILDING, LIVE, RETIRED, Connection, Lead, Progress, Views
from dixa_state.views.projector import Projector
from dixa_state.views.ranges import Place, Range, fold_range, on_all_cores, split
from dixa_state.views.rows import rows
from dixa_state.views.tables import VIEW_VERSION, Row, group

Report = Callable[[int], None]
"""Called after each range with the number of events folded so far."""

_SWITCH_PAUSE = 2.0
"""Seconds between attempts to switch while another transaction reads the views."""

_MAX_LAG = 200
"""Events that the new views may be behind the store when the switch begins."""


class Built(NamedTuple):
    """The rows of a range that are still to be inserted, and the events that cannot be folded."""

    events: int
    rows: dict[str, list[Row]]
    poison: list[Poison]


def replay(
    tracker: ConversationTracker,
    views: Views,
    open_place: Callable[[], Place],
    progress: Report = lambda _done: None,
) -> Progress:
    """Rebuild all views, switch to them and return their progress.

    `open_place` opens the same store in a worker process. Raises `StoreError` if another replay
    is at work or if an event cannot be folded; the live views then stay as they were.
    """
    with views.leading("replay") as lead:
        if lead is None:
            raise StoreError("replay: another one is at work on this store")
        building = _begin(tracker, views)
        try:
            parts = split(tracker.event_recorder, building.position)
            ranges = on_all_cores(partial(build_range, building), parts, open_place)
            _fill(views, lead, building, ranges, progress)
            live = _switch(tracker, views, lead, building)
        except BaseException:
            with suppress(StoreError):
                _abandon(views, building)
            raise
        with suppress(LockTimeoutError), views.transaction(write=True) as connection:
            views.limit_lock_waits(connection)
            _drop(views, connection, RETIRED)  # if someone still reads it, the next replay does
        return live


def _begin(tracker: ConversationTracker, views: Views) -> Progress:
    """Drop unused generations and create a new one.

    Its number is new, so that an interrupted replay which goes on after all cannot write to it.
    """
    # Not that of the newest event: it may have been erased, and then the views are ahead of it.
    position = tracker.event_recorder.last_position()
    with views.transaction(write=True) as connection:
        views.limit_lock_waits(connection)
        live = views.read_progress(connection)
        left = [_drop(views, connection, name) for name in (BUILDING, RETIRED)]
        generation = 1 + max(known.generation for known in (live, *left) if known)
        building = Progress(generation, VIEW_VERSION, 0).advanced(position, tracker.grace)
        views.create(connection, generation, indexes=False)
        views.set_progress(connection, BUILDING, building)
    return building


def _fill(
    views: Views, lead: Lead, building: Progress, ranges: Iterable[Built], progress: Report
) -> None:
    """Fill the tables, then index them in transactions of their own: appends go in between."""
    done = 0
    for built in ranges:
        if built.rows or built.poison:
            _load(views, building, built)
        lead.keep()
        done += built.events
        progress(done)
    for index in views.indexes(building.generation):
        with views.transaction(write=True) as connection:
            connection.run(index)
        lead.keep()


def _load(views: Views, building: Progress, built: Built) -> None:
    require_foldable(built.poison)
    with views.transaction(write=True) as connection:
        for table, some in built.rows.items():
            connection.insert(building.prefix, table, some)


def build_range(building: Progress, place: Place, part: Range) -> Built:
    """Make the rows of a range, and insert them where several processes can write at a time."""
    tracker, views = place
    made: list[Row] = []
    poison: list[Poison] = []
    events = 0
    for stream, folded in fold_range(tracker, part):
        events += folded.state.version if folded.state else 0
        poison += folded.poison
        if folded.state is not None:
            made += rows(stream, folded.state)
    built = Built(events, group(made), poison)
    if views.many_writers and not poison:
        _load(views, building, built)
        return built._replace(rows={})
    return built


def _switch(tracker: ConversationTracker, views: Views, lead: Lead, building: Progress) -> Progress:
    """Project what has come in since, then publish the new generation in place of the old one."""
    projector = Projector(tracker, views, name=BUILDING)
    while True:
        while (reached := projector.step()) and _lag(tracker, reached) > _MAX_LAG:
            lead.keep()
        lead.keep()
        try:
            with views.transaction(write=True) as connection:
                live = _publish(tracker, views, connection, building.generation)
        except LockTimeoutError:
            sleep(_SWITCH_PAUSE)  # readers that queued behind the switch go first
        else:
            if live is not None:
                return live


def _lag(tracker: ConversationTracker, reached: int) -> int:
    return tracker.event_recorder.last_position() - reached


def _publish(
    tracker: ConversationTracker, views: Views, connection: Connection, generation: int
) -> Progress | None:
    """Switch; None if the live views have moved past the new ones, which must catch up first."""
    live = views.read_progress(connection, LIVE, hold=True)
    building = views.read_progress(connection, BUILDING, hold=True)
    if building is None or building.generation != generation:
        raise StoreError("replay: the views being built are gone; another one has dropped them")
    if live is not None and live.position > building.position:
        after = building.position + 1
        if tracker.event_recorder.select_notifications(after, 1, live.position):
            return None
        building = building._replace(position=live.position)  # the events between were erased
    views.limit_lock_waits(connection)
    views.publish(connection, generation)
    views.set_progress(connection, LIVE, building)
    views.delete_progress(connection, BUILDING)
    if live is not None:
        views.set_progress(connection, RETIRED, live)
    return building


def _abandon(views: Views, building: Progress) -> None:
    with views.transaction(write=True) as connection:
        found = views.read_progress(connection, BUILDING)
        if found is not None and found.generation == building.generation:
            _drop(views, connection, BUILDING)


def _drop(views: Views, connection: Connection, name: str) -> Progress | None:
    """Drop a generation that nobody reads: a retired one, or one that was never finished."""
    found = views.read_progress(connection, name)
    if found is not None:
        views.drop(connection, found.generation)
        views.delete_progress(connection, name)
    return found
