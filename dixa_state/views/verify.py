"""Verify: refold everything from the event store, compare it with the views, check the store.

Each difference is one finding; none means that the views equal a refold of the events.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.dixa.catalog import UNRECOGNISED
from dixa_state.dixa.signature import Secrets, is_well_formed
from dixa_state.dixa.signature import verify as verify_signature
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import SignatureError
from dixa_state.store.append import Accepted, Known, digest, prepare
from dixa_state.store.events import Webhook, decode_state, encode_state
from dixa_state.store.recorder import EventRecorder
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Connection
from dixa_state.views.ranges import Place, Range, on_all_cores, read_range, split
from dixa_state.views.rows import has_views, rows
from dixa_state.views.tables import TABLES, Row, group


class Finding(NamedTuple):
    """A difference: where, what was expected, and what was found."""

    where: str
    expected: str
    got: str


def verify(
    place: Place,
    open_place: Callable[[], Place],
    progress: Callable[[int], None] = lambda _done: None,
    secrets: Secrets = Secrets(),  # noqa: B008 — frozen
) -> Iterator[Finding]:
    """Yield all findings: first those of the store as a whole, then stream by stream.

    `open_place` opens the same store and views in a worker process; `progress` is called with the
    number of events checked. Nothing is written, so that no difference is covered up: rows are
    compared with the events up to the position of the views. With `secrets`, each signature that
    was stored must sign its body.
    """
    recorder = place[0].event_recorder
    yield from _whole(recorder)
    parts = split(recorder, recorder.max_notification_id() or 0)
    done = 0
    for events, findings in on_all_cores(partial(check_range, secrets), parts, open_place):
        yield from findings
        done += events
        progress(done)


def _whole(recorder: EventRecorder) -> Iterator[Finding]:
    before = recorder.last_position()
    events, recognised = recorder.count_events()
    last = recorder.max_notification_id() or 0
    head = recorder.last_position()  # read twice: a service may append meanwhile
    if not before <= last <= head:
        yield Finding("head", f"position {head} at the end", f"the last event at {last}")
    if not min(before, last) <= events <= last:
        yield Finding("positions", f"{last} events up to position {last}", f"{events} events")
    if recognised != events:
        yield Finding("deduplication", f"{events} rows, one an event", f"{recognised} rows")
    for where, expected, got in recorder.check_integrity():
        yield Finding(where, expected, got)
    for item, recorded in recorder.select_quarantine_digests():
        if digest(item.webhook.body) != recorded:
            yield Finding(f"quarantine {item.id}", "the body that was quarantined", "another one")


def check_range(secrets: Secrets, place: Place, part: Range) -> tuple[int, list[Finding]]:
    """Check the events of a range and their rows; return the number of events, and findings."""
    tracker, views = place
    with views.transaction() as connection:
        live = views.read_progress(connection)
        actual = _view_rows(connection, part, live.prefix if live else "")
    reached = live.position if live else 0
    # a projector may have gone on since the range was made
    part = part._replace(position=max(part.position, reached))
    findings: list[Finding] = []
    made: list[Row] = []
    count = 0
    for events in read_range(tracker, part):
        count += len(events)
        findings += _stored(tracker, events, secrets)
        made += _rows(tracker, [event for event in events if event.id <= reached])
    expected = group(made)
    for table, found in actual.items():
        findings += _compared(table, set(expected.get(table, [])), found)
    return count, findings


def _view_rows(connection: Connection, part: Range, prefix: str) -> dict[str, set[Any]]:
    found = {}
    for table, row_type in TABLES.items():
        sql = (
            f"SELECT {', '.join(row_type._fields)} FROM {prefix}{table} "  # noqa: S608 — names of ours
            "WHERE stream >= :low AND stream < :high"
        )
        got = connection.run(sql, low=part.low, high=part.high)
        # drivers return bytes in several types
        plain = ((bytes(v) if isinstance(v, memoryview) else v for v in row) for row in got)
        found[table] = set(map(row_type._make, plain))
    return found


def _rows(tracker: ConversationTracker, events: Sequence[Notification]) -> Iterable[Row]:
    stream = str(events[0].originator_id) if events else ""
    if not has_views(stream):
        return
    state = tracker.fold(events).state  # what is skipped live has no rows to compare
    if state is not None:
        yield from rows(stream, state)


def _compared(table: str, expected: set[Any], found: set[Any]) -> Iterator[Finding]:
    for row in sorted(expected - found, key=repr):
        yield Finding(f"{table} of {row.stream}", _spelled(row), "no such row")
    for row in sorted(found - expected, key=repr):
        yield Finding(f"{table} of {row.stream}", "no such row", _spelled(row))


def _spelled(row: Row) -> str:
    """Return the values of a row by their columns; those that have none are left out."""
    texts = (
        f"{name} {value.decode('utf-8', 'replace') if isinstance(value, bytes) else value}"
        for name, value in row._asdict().items()
        if name != "stream" and value is not None
    )
    return shorten(", ".join(texts), 300)


def _stored(
    tracker: ConversationTracker, events: Sequence[Notification], secrets: Secrets
) -> Iterator[Finding]:
    versions = [event.originator_version for event in events]
    if versions != list(range(1, len(events) + 1)):
        where = f"versions of {events[0].originator_id}"
        yield Finding(where, f"1 to {len(events)}", shorten(repr(versions), 300))
    judged = {event.id: _judge(event) for event in events}
    keys = [item.key for item in judged.values() if isinstance(item, Accepted)]
    known = tracker.event_recorder.known(keys)
    for event in events:
        yield from _one(event, judged[event.id], known, secrets)


def _judge(event: Notification) -> Accepted | str:
    """Judge a stored webhook as if it came in now; a text says why it cannot be read."""
    try:
        stored = decode_state(event.state)
    except Exception as error:  # noqa: BLE001 — whatever was made of the state, it is a finding
        return f"{type(error).__name__}: {error}"
    judged = prepare(stored)
    return judged if isinstance(judged, Accepted) else judged.reason


def _one(
    event: Notification, judged: Accepted | str, known: Mapping[bytes, Known], secrets: Secrets
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
    yield from _signature(where, judged.webhook, secrets)


def _signature(where: str, webhook: Webhook, secrets: Secrets) -> Iterator[Finding]:
    """Check a signature; bodies read from files have none."""
    signature = webhook.signature
    if not signature:
        return
    if not is_well_formed(signature):
        yield Finding(where, "a signature as Dixa writes it", shorten(signature))
    elif secrets:
        try:
            verify_signature(
                webhook.body, signature, secrets, subscription_id=webhook.subscription_id
            )
        except SignatureError as error:
            yield Finding(where, "a signature by one of the secrets", f"{error.reason}: {error}")
