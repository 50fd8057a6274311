"""The projector: follows the event store, one batch of events and one transaction at a time."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby, islice
from threading import Event as Signal
from typing import NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.domain.states import decode_ban, decode_conversation
from dixa_state.errors import PermissionDeniedError, StoreUnavailableError
from dixa_state.fold import FoldResult
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import LIVE, Connection, Progress, Views
from dixa_state.views.rows import changed_rows, has_views
from dixa_state.views.tables import Row

BATCH_SIZE = 1_000
"""Events per transaction: enough to share a commit, few enough not to hold up writers."""

_READ_SIZE = 100
_BATCH_BYTES = 8 << 20
"""A batch ends with the read that reaches this size: one webhook may be a megabyte."""

_IDLE = 1.0
_PAUSE, _PAUSE_OF_ONE_WRITER = 0.01, 0.02
_PAUSE_PER_EVENT = 0.0002
"""Seconds to pause after a batch that was not full, at least and for each event of it. The next one
gathers more, which costs less per event and leaves the processor to those that receive webhooks:
where one comes at a time, most are answered while nothing is projected. It is longer where webhooks
wait while rows are written, as on SQLite."""

_CACHE_LIMIT = 500


class EventBatch(NamedTuple):
    """New events by stream, and what the views hold of these streams."""

    at: Progress
    last: int
    events: dict[str, list[Notification]]
    before: dict[str, FoldResult]


class BatchResult(NamedTuple):
    """What a batch changes, computed before the write lock is taken."""

    at: Progress
    to: Progress
    folded: dict[str, FoldResult]
    deleted: list[Row]
    inserted: list[Row]


class StateCache:
    """The states written last, kept in memory: most events follow a recent one of their stream.

    They equal those of the views as long as no other projector has written. With each is what was
    folded last, for events that come late.
    """

    def __init__(self) -> None:
        self._at: Progress | None = None
        self._states: dict[str, FoldResult] = {}

    def states(self, at: Progress, streams: Iterable[str]) -> dict[str, FoldResult]:
        """Return the cached states of these streams, none if another projector has written."""
        if at != self._at:
            self._states.clear()
        return {stream: self._states[stream] for stream in streams if stream in self._states}

    def update(self, result: BatchResult, *, written: bool) -> None:
        """Cache the states of a batch and drop those that were written longest ago."""
        self._at = result.to if written else None
        for stream, folded in result.folded.items():
            self._states.pop(stream, None)
            if folded.state is not None:
                self._states[stream] = folded
        for stream in list(islice(self._states, max(len(self._states) - _CACHE_LIMIT, 0))):
            del self._states[stream]


class Projector:
    """Keep the views of a store up to date.

    A crash repeats a batch, never half of it: rows and position change in one transaction, which
    begins by checking that no other projector has moved the position meanwhile.
    """

    def __init__(
        self,
        tracker: ConversationTracker,
        views: Views,
        *,
        name: str = LIVE,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Follow the tracker's event store, at most `batch_size` events per transaction.

        `name` is the generation to keep up to date: the live one, or one being built.
        """
        self._tracker = tracker
        self._recorder = tracker.event_recorder
        self._views = views
        self._name = name
        self._batch_size = batch_size
        self._cache = StateCache()
        self._pause = _PAUSE if views.many_writers else _PAUSE_OF_ONE_WRITER

    def run(
        self,
        stop: Signal,
        progress: Callable[[int | None], None] = lambda _position: None,
        unavailable: Callable[[StoreUnavailableError], None] = lambda _error: None,
    ) -> None:
        """Project until `stop` is set; wait while another projector leads.

        An unavailable store is tried again until it is back, after a call of `unavailable`.
        `progress` is called with the position reached, or with None if there was nothing to do.
        """
        while not stop.is_set():
            try:
                self._lead_once(stop, progress)
            except StoreUnavailableError as error:
                unavailable(error)
                stop.wait(_IDLE)

    def catch_up(self, progress: Callable[[int], None] = lambda _position: None) -> bool:
        """Update the views to the newest event now.

        Return False if another projector is at work, or if the database role may only read.
        """
        with self._views.leading("projector") as lead, suppress(PermissionDeniedError):
            while lead and (position := self.step()):
                progress(position)
                lead.keep()
            return lead is not None
        return False

    def step(self) -> int | None:
        """Project one batch and return the position reached; None if there was nothing to do."""
        batch = self._read()
        if batch is None:
            return None
        result = self._fold(batch)
        with self._views.transaction(write=True) as connection:
            written = self._views.read_progress(connection, self._name, hold=True) == result.at
            if written:
                self._write(connection, result)
        self._cache.update(result, written=written)
        return result.to.position

    def _lead_once(self, stop: Signal, progress: Callable[[int | None], None]) -> None:
        with self._views.leading("projector") as lead:
            reached = 0
            while lead and not stop.is_set():
                lead.keep()
                position = self.step()
                progress(position)
                if position is None:
                    self._views.changed(_IDLE)
                elif position - reached < self._batch_size:  # a full batch: more is waiting
                    stop.wait(max(self._pause, _PAUSE_PER_EVENT * (position - reached)))
                reached = position or reached
        if lead is None:
            progress(None)
            stop.wait(_IDLE / 4)

    def _read(self) -> EventBatch | None:
        """Read what comes next.

        Should another projector write meanwhile, or a replay switch, the states may be newer than
        the progress, or missing; then nothing of the batch is written.
        """
        at = self._views.progress(self._name)
        stored = self._next(at.position)
        if not stored:
            return None
        events = {
            stream: list(some)
            for stream, some in groupby(sorted(stored, key=_stream), key=_stream)
            if has_views(stream)
        }
        before = self._cache.states(at, events)
        before |= self._states(at.prefix, [stream for stream in events if stream not in before])
        return EventBatch(at, stored[-1].id, events, before)

    def _states(self, prefix: str, streams: Sequence[str]) -> dict[str, FoldResult]:
        """Read the states of streams from the tables that hold them."""
        found: dict[str, FoldResult] = {}
        conversations = [stream for stream in streams if stream.startswith("conversation/")]
        if conversations:
            for stream, state in self._views.states(prefix, "conversations", conversations):
                found[stream] = FoldResult(decode_conversation(bytes(state)))
        if others := set(streams).difference(conversations):
            for stream, state in self._views.states(prefix, "bans", sorted(others)):
                found[stream] = FoldResult(decode_ban(bytes(state)))
        return found

    def _next(self, position: int) -> list[Notification]:
        """Read the events after a position, as many as a batch may hold."""
        stored: list[Notification] = []
        size = 0
        while len(stored) < self._batch_size and size < _BATCH_BYTES:
            last = stored[-1].id if stored else position
            limit = min(_READ_SIZE, self._batch_size - len(stored))
            more = self._recorder.select_notifications(last, limit, inclusive_of_start=False)
            stored += more
            size += sum(len(event.state) for event in more)
            if len(more) < limit:
                break
        return stored

    def _fold(self, batch: EventBatch) -> BatchResult:
        folded = {stream: self._fold_stream(stream, batch) for stream in batch.events}
        to = batch.at.advanced(batch.last, self._tracker.grace)
        result = BatchResult(batch.at, to, folded, [], [])
        for stream, done in folded.items():
            if done.state is not None:
                before = batch.before.get(stream)
                deleted, inserted = changed_rows(stream, before and before.state, done.state)
                result.deleted.extend(deleted)
                result.inserted.extend(inserted)
        return result

    def _fold_stream(self, stream: str, batch: EventBatch) -> FoldResult:
        events, before = batch.events[stream], batch.before.get(stream)
        if before is not None and before.state is not None:
            further = self._tracker.fold_further(before.state, events, before.recent)
            if further is not None:
                return further
        elif events[0].originator_version == 1:  # the batch has the stream from its beginning
            return self._tracker.fold_with_recent(events)
        whole = self._recorder.select_stream(stream)
        return self._tracker.fold_with_recent([one for one in whole if one.id <= events[-1].id])

    def _write(self, connection: Connection, result: BatchResult) -> None:
        generation = result.at.generation
        with connection.pipelined(result.inserted):
            self._views.replace(connection, generation, result.deleted, result.inserted)
            for folded in result.folded.values():
                for poison in folded.poison:
                    connection.run(self._views.statement("poison", generation), **poison._asdict())
            self._views.advance(connection, self._name, result.at, result.to)


def _stream(event: Notification) -> str:
    return str(event.originator_id)
