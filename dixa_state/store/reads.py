"""The reads that both databases share: each is a statement of the same name in either dialect."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from eventsourcing.persistence import Notification, NotSupportedError, StoredEvent

from dixa_state.store import quarantine
from dixa_state.store.recorder import NO_LIMIT, EventRecorder, Quarantined


class DatabaseRecorder(EventRecorder):
    """An event store in a database."""

    @abstractmethod
    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement of the dialect's file and return its rows."""

    @abstractmethod
    def _listed(self, values: Sequence[Any]) -> Any:
        """Return several values as one parameter of the dialect."""

    def select_stream(self, stream: str) -> Sequence[Notification]:
        return [notification(row) for row in self._rows("stream", stream=stream)]

    def next_stream(self, name: str) -> str | None:
        rows = self._rows("next_stream", name=name)
        return rows[0][0] if rows else None

    def last_position(self) -> int:
        position: int = self._rows("last_position")[0][0]
        return position

    def stream_at(self, position: int) -> str | None:
        rows = self._rows("stream_at", position=position)
        return rows[0][0] if rows else None

    def select_range(self, low: str, high: str, position: int) -> Sequence[Notification]:
        rows = self._rows("range", low=low, high=high, position=position)
        return [notification(row) for row in rows]

    def count_events(self) -> tuple[int, int]:
        events, recognised = self._rows("count_events")[0]
        return events, recognised

    def select_quarantined(
        self,
        *,
        ids: Sequence[int] | None = None,
        resolved: bool = False,
        limit: int = NO_LIMIT,
    ) -> Sequence[Quarantined]:
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


def notification(row: tuple[Any, ...]) -> Notification:
    """Read a row of an event with its position."""
    stream, version, topic, state, position = row
    return Notification(stream, version, topic, bytes(state), position)
