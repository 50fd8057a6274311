"""Verify: refold everything from the event store, compare it with the views, check the store.

Each difference is one finding; none means that the views equal a refold of the events.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.dixa.catalog import UNRECOGNISED
from dixa_state.dixa.signature import is_well_formed
from dixa_state.domain.timestamps import shorten
from dixa_state.store.append import Accepted, Known, prepare
from dixa_state.store.events import Webhook, decode_state, encode_state
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Connection, Views
from dixa_state.views.ranges import Range, on_all_cores, read_range, split
from dixa_state.views.rows import has_views, rows
from dixa_state.views.tables import TABLES, Row, group

Place = tuple[ConversationTracker, Views]
Rows = dict[str, list[tuple[Any, ...]]]


class Finding(NamedTuple):
    """A difference: where, what was expected, and what was found."""

    where: str
    expected: str
    got: str


def verify(
    place: Place,
    open_place: Callable[[], Place],
    progress: Callable[[int], None] = lambda _done: None,
) -> Iterator[Finding]:
    """Yield all findings: first those of the store as a whole, then stream by stream.

    `open_place` opens the same store and views in a worker process; `progress` is called with the
    number of events checked. Events beyond the position of the views are not compared. Views that
    advance meanwhile are compared at one snapshot per range.
    """
    tracker, views = place
    yield from _whole(tracker)
    parts = split(tracker.event_recorder, views.progress().position)
    done = 0
    for events, findings in on_all_cores(check_range, parts, open_place):
        yield from findings
        done += events
        progress(done)


def _whole(tracker: ConversationTracker) -> Iterator[Finding]:
    events, recognised = tracker.event_recorder.count_events()
    last = tracker.event_recorder.max_notification_id() or 0
    if last != events:
        yield Finding("positions", f"{last} events up to position {last}", f"{events} events")
    if recognised != events:
        yield Finding("deduplication", f"{events} rows, one an event", f"{recognised} rows")


def check_range(place: Place, part: Range) -> tuple[int, list[Finding]]:
    """Check the events of a range and their rows; return the number of events, and findings."""
    tracker, views = place
    with views.transaction() as connection:
        live = views.read_progress(connection)
        seen = part._replace(position=live.position if live else 0)
        actual = _view_rows(connection, seen, live.prefix if live else "")
    findings: list[Finding] = []
    made: list[Row] = []
    count = 0
    for events in read_range(tracker, seen):
        count += len(events)
        findings += _stored(tracker, events)
        made += _rows(tracker, events)
    expected = group(made)
    for table in TABLES:
        findings += _compared(table, expected.get(table, []), actual[table])
    return count, findings


def _view_rows(connection: Connection, part: Range, prefix: str) -> Rows:
    return {
        table: connection.run(
            f"SELECT {', '.join(row_type._fields)} FROM {prefix}{table} "  # noqa: S608 — names of ours
            "WHERE stream >= :low AND stream < :high",
            low=part.low,
            high=part.high,
        )
        for table, row_type in TABLES.items()
    }


def _rows(tracker: ConversationTracker, events: Sequence[Notification]) -> Iterable[Row]:
    stream = str(events[0].originator_id)
    if not has_views(stream):
        return
    state = tracker.fold(events).state  # what is skipped live has no rows to compare
    if state is not None:
        yield from rows(stream, state)


def _compared(
    table: str, expected: Sequence[tuple[Any, ...]], got: Sequence[tuple[Any, ...]]
) -> Iterator[Finding]:
    made, found = {_plain(row) for row in expected}, {_plain(row) for row in got}
    for row in sorted(made - found, key=repr):
        yield Finding(f"{table} of {_stream(table, row)}", shorten(repr(row), 300), "no such row")
    for row in sorted(found - made, key=repr):
        yield Finding(f"{table} of {_stream(table, row)}", "no such row", shorten(repr(row), 300))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a comparable row: drivers return bytes in several types."""
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def _stream(table: str, row: tuple[Any, ...]) -> str:
    return str(row[TABLES[table]._fields.index("stream")])


def _stored(tracker: ConversationTracker, events: Sequence[Notification]) -> Iterator[Finding]:
    versions = [event.originator_version for event in events]
    if versions != list(range(1, len(events) + 1)):
        where = f"versions of {events[0].originator_id}"
        yield Finding(where, f"1 to {len(events)}", shorten(repr(versions), 300))
    judged = {event.id: _judge(event) for event in events}
    keys = [item.key for item in judged.values() if isinstance(item, Accepted)]
    known = tracker.event_recorder.known(keys)
    for event in events:
        yield from _one(event, judged[event.id], known)


def _judge(event: Notification) -> Accepted | str:
    """Judge a stored webhook as if it came in now; a text says why it cannot be read."""
    try:
        stored = decode_state(event.state)
    except Exception as error:  # noqa: BLE001 — whatever was made of the state, it is a finding
        return f"{type(error).__name__}: {error}"
    webhook = Webhook(stored.body, stored.received_at, stored.subscription_id, stored.signature)
    judged = prepare(webhook)
    return judged if isinstance(judged, Accepted) else judged.reason


def _one(
    event: Notification, judged: Accepted | str, known: Mapping[bytes, Known]
) -> Iterator[Finding]:
    where = f"event {event.id}"
    if isinstance(judged, str):
        yield Finding(where, "a webhook that can be read", judged)
        return
    if event.topic not in (judged.topic, UNRECOGNISED):  # the catalogue may have learnt since
        yield Finding(where, f"of the topic {judged.topic}", f"of {event.topic}")
    if judged.stream != event.originator_id:
        yield Finding(where, f"in the stream {judged.stream}", f"in {event.originator_id}")
    expected = Known(judged.digest, event.id)
    if known.get(judged.key) != expected:
        got = known.get(judged.key)
        yield Finding(where, "a row that recognises it as a duplicate", f"{got or 'none'}")
    if encode_state(judged.webhook) != event.state:
        yield Finding(where, "a state as this program writes it", "one that was written otherwise")
    if judged.webhook.signature and not is_well_formed(judged.webhook.signature):
        yield Finding(where, "a signature as Dixa writes it", shorten(judged.webhook.signature))
