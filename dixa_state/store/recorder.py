"""The event store: append, streams and quarantine, alike on both databases.

Each read is a statement of the same name in either dialect.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NoReturn

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    NotSupportedError,
    StoredEvent,
)

from dixa_state.store import quarantine
from dixa_state.store.append import (
    Accepted,
    Known,
    Outcome,
    Rejected,
    Writer,
    append_batch,
    batches,
)
from dixa_state.store.quarantine import Quarantined, Resolution

NO_LIMIT = 2**63 - 1
"""As a limit it cuts off nothing, on every database."""


class EventRecorder(ApplicationRecorder, ABC):
    """An event store: the library's recorder, with append, streams and quarantine."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """Open a transaction under the write lock; it commits unless an exception leaves it."""

    @abstractmethod
    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        """Return the entries that recognise these events as duplicates."""

    @abstractmethod
    def check_integrity(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is wrong with the database itself: where, what was expected, what is there."""

    @abstractmethod
    def resolve(self, ids: Sequence[int], resolution: Resolution, at: datetime) -> None:
        """Write how quarantined bodies were settled; the bodies stay."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    @abstractmethod
    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement of the dialect's file and return its rows."""

    @abstractmethod
    def _listed(self, values: Sequence[Any]) -> Any:
        """Return several values as one parameter of the dialect."""

    def select_stream(self, stream: str) -> Sequence[Notification]:
        """Read a stream in order of arrival, each event with its position."""
        return [notification(row) for row in self._rows("stream", stream=stream)]

    def next_stream(self, name: str) -> str | None:
        """Return the first stream at or after a name: a jump in the index, not a scan."""
        rows = self._rows("next_stream", name=name)
        return rows[0][0] if rows else None

    def last_position(self) -> int:
        """Return the last position assigned, also if its event has been erased since."""
        position: int = self._rows("last_position")[0][0]
        return position

    def stream_at(self, position: int) -> str | None:
        """Return the stream of the event at a position."""
        rows = self._rows("stream_at", position=position)
        return rows[0][0] if rows else None

    def select_range(self, low: str, high: str, position: int) -> Sequence[Notification]:
        """Read the streams named from `low` to before `high`, in order, up to a position."""
        rows = self._rows("range", low=low, high=high, position=position)
        return [notification(row) for row in rows]

    def count_events(self) -> tuple[int, int]:
        """Count the events, and the entries that recognise duplicates."""
        events, recognised = self._rows("count_events")[0]
        return events, recognised

    def select_quarantined(
        self,
        *,
        ids: Sequence[int] | None = None,
        resolved: bool = False,
        limit: int = NO_LIMIT,
    ) -> Sequence[Quarantined]:
        """List the quarantine; with `resolved`, also the settled bodies."""
        wanted = None if ids is None else self._listed(ids)
        rows = self._rows("quarantined", ids=wanted, resolved=resolved, limit=limit)
        return [quarantine.from_row(row) for row in rows]

    def select_quarantine_digests(self) -> Iterator[tuple[Quarantined, bytes]]:
        """Yield the quarantine with its digests, one by one: a body may be a megabyte."""
        for (number,) in self._rows("quarantine_ids"):
            [item] = self.select_quarantined(ids=[number], resolved=True)
            yield item, bytes(self._rows("quarantine_digest", id=number)[0][0])

    def select_events(
        self,
        originator_id: Any,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows = self._rows(
            "events_newest_first" if desc else "events",
            stream=originator_id,
            gt=-1 if gt is None else gt,
            lte=NO_LIMIT if lte is None else lte,
            limit=NO_LIMIT if limit is None else limit,
        )
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        rows = self._rows(
            "notifications_of_topics" if topics else "notifications",
            first=(start or 0) + (not inclusive_of_start),
            last=NO_LIMIT if stop is None else stop,
            topics=self._listed(topics),
            limit=limit,
        )
        return [notification(row) for row in rows]

    def max_notification_id(self) -> int | None:
        position: int | None = self._rows("newest")[0][0]
        return position

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> NoReturn:
        raise NotSupportedError(f"no subscription to events after {gt} of {topics}: use the views")

    def select_streams(self, prefix: str) -> Iterator[str]:
        """Yield the streams that begin with a prefix, in order."""
        stream = self.next_stream(prefix)
        while stream is not None and stream.startswith(prefix):
            yield stream
            stream = self.next_stream(f"{stream} ")  # no name holds a space, all sort after it

    def first_streams(self, kind: str) -> Iterator[str]:
        """Yield the first stream of a kind of each organization, by a jump in the index to each."""
        stream = self.next_stream(f"{kind}/")
        while stream is not None and stream.startswith(f"{kind}/"):
            yield stream
            # "0" sorts right after "/": past all streams of this organization
            stream = self.next_stream(f"{kind}/{stream.split('/')[1]}0")

    def append(self, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
        """Append webhooks, each with its own outcome, in order, in batches.

        Raises `StoreUnavailableError` if the store fails; trying again is always safe.
        """
        outcomes: list[Outcome] = []
        for batch in batches(prepared, lambda item: len(item.webhook.body)):
            outcomes += self.append_batch(batch)
        return outcomes

    def append_batch(self, batch: Sequence[Accepted | Rejected]) -> list[Outcome]:
        """Append a batch; return an outcome for each, in order."""
        with self.writing() as writer:
            return append_batch(writer, batch)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Insert events whose versions are assigned, as the library does."""
        with self.writing() as writer:
            first = writer.last_position() + 1
            events = [placed(event, first + n) for n, event in enumerate(stored_events)]
            writer.insert(events, {})
            return [event.id for event in events]


def placed(event: StoredEvent, position: int) -> Notification:
    """Return an event with its position."""
    return Notification(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.topic,
        state=event.state,
        id=position,
    )


def notification(row: tuple[Any, ...]) -> Notification:
    """Read a row of an event with its position."""
    stream, version, topic, state, position = row
    return Notification(stream, version, topic, bytes(state), position)
