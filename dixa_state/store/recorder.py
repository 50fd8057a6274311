"""The event store's contract: an abstract recorder with append, streams and quarantine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal

from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent
from msgspec import Struct

from dixa_state.store.append import (
    Accepted,
    Known,
    Outcome,
    Rejected,
    Writer,
    append_batch,
    batches,
)
from dixa_state.store.events import Webhook


class Quarantined(Struct, frozen=True):
    """A body that could not become an event; `resolution` is set once it is settled."""

    id: int
    webhook: Webhook
    problem: str
    reason: str
    event_id: str | None
    resolution: str | None
    resolved_at: datetime | None


NO_LIMIT = 2**63 - 1
"""As a limit it cuts off nothing, on every database."""

Resolution = Literal["appended", "duplicate", "discarded"]


class EventRecorder(ApplicationRecorder, ABC):
    """An event store: the library's recorder, with append, streams and quarantine."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """Open a transaction under the write lock; it commits unless an exception leaves it."""

    @abstractmethod
    def select_stream(self, stream: str) -> Sequence[Notification]:
        """Read a stream in order of arrival, each event with its position."""

    @abstractmethod
    def next_stream(self, name: str) -> str | None:
        """Return the first stream at or after a name: a jump in the index, not a scan."""

    @abstractmethod
    def last_position(self) -> int:
        """Return the last position assigned, also if its event has been erased since."""

    @abstractmethod
    def stream_at(self, position: int) -> str | None:
        """Return the stream of the event at a position."""

    @abstractmethod
    def select_range(self, low: str, high: str, position: int) -> Sequence[Notification]:
        """Read the streams named from `low` to before `high`, in order, up to a position."""

    @abstractmethod
    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        """Return the entries that recognise these events as duplicates."""

    @abstractmethod
    def count_events(self) -> tuple[int, int]:
        """Count the events, and the entries that recognise duplicates."""

    @abstractmethod
    def select_quarantined(
        self,
        *,
        ids: Sequence[int] | None = None,
        resolved: bool = False,
        limit: int = NO_LIMIT,
    ) -> Sequence[Quarantined]:
        """List the quarantine; with `resolved`, also the settled bodies."""

    @abstractmethod
    def select_quarantine_digests(self) -> Iterator[tuple[Quarantined, bytes]]:
        """Yield everything that ever was in quarantine, with the digest stored beside its body."""

    def check_integrity(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is wrong with the database itself: where, what was expected, what is there."""
        return iter(())

    @abstractmethod
    def resolve(self, ids: Sequence[int], resolution: Resolution, at: datetime) -> None:
        """Write how quarantined bodies were settled; the bodies stay."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

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
