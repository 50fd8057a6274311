"""The event store in memory, for tests and trials."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder
from msgspec.structs import replace

from dixa_state.store.append import Known, Rejected, Writer, digest
from dixa_state.store.recorder import NO_LIMIT, EventRecorder, Quarantined, Resolution, placed


class MemoryRecorder(EventRecorder, POPOApplicationRecorder):
    """The library's in-memory recorder, with append, streams and quarantine."""

    def __init__(self) -> None:
        super().__init__()
        self.known_events: dict[bytes, Known] = {}
        self.quarantine: dict[bytes, Quarantined] = {}

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Hold the lock; commit what is staged unless an exception leaves."""
        with self._database_lock:
            writer = _MemoryWriter(self)
            yield writer
            self._update_table(writer.staged)
            self.known_events |= writer.staged_known
            self.quarantine |= writer.refused
        self._notify_listeners()

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        return POPOApplicationRecorder.insert_events(self, stored_events, **kwargs)

    def select_stream(self, stream: str) -> Sequence[Notification]:
        with self._database_lock:
            places = self._stored_events_index[stream].values()
            return [placed(self._stored_events[place], place + 1) for place in places]

    def next_stream(self, name: str) -> str | None:
        with self._database_lock:
            streams = (str(event.originator_id) for event in self._stored_events)
            return min((stream for stream in streams if stream >= name), default=None)

    def last_position(self) -> int:
        return self.max_notification_id() or 0

    def stream_at(self, position: int) -> str | None:
        found = self.select_notifications(position, 1, position)
        return str(found[0].originator_id) if found else None

    def select_range(self, low: str, high: str, position: int) -> Sequence[Notification]:
        everything = self.select_notifications(1, position, position) if position else ()
        kept = (event for event in everything if low <= str(event.originator_id) < high)
        return sorted(kept, key=lambda event: (str(event.originator_id), event.originator_version))

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        return {key: self.known_events[key] for key in keys if key in self.known_events}

    def count_events(self) -> tuple[int, int]:
        return len(self._stored_events), len(self.known_events)

    def select_quarantined(
        self,
        *,
        ids: Sequence[int] | None = None,
        resolved: bool = False,
        limit: int = NO_LIMIT,
    ) -> Sequence[Quarantined]:
        found = [
            item
            for item in self.quarantine.values()
            if (resolved or item.resolution is None) and (ids is None or item.id in ids)
        ]
        return found[:limit]

    def select_quarantine_digests(self) -> Iterator[tuple[Quarantined, bytes]]:
        return ((item, key) for key, item in self.quarantine.items())

    def resolve(self, ids: Sequence[int], resolution: Resolution, at: datetime) -> None:
        for key, item in self.quarantine.items():
            if item.id in ids:
                self.quarantine[key] = replace(item, resolution=resolution, resolved_at=at)

    def close(self) -> None:
        """Do nothing: there are no connections."""


class _MemoryWriter(Writer):
    def __init__(self, recorder: MemoryRecorder) -> None:
        self._recorder = recorder
        self.staged: list[StoredEvent] = []
        self.staged_known: dict[bytes, Known] = {}
        self.refused: dict[bytes, Quarantined] = {}

    def look_up(
        self, keys: Sequence[bytes], streams: Sequence[str]
    ) -> tuple[dict[bytes, Known], dict[str, int]]:
        found = {stream: self._recorder.select_stream(stream) for stream in streams}
        heads = {name: events[-1].originator_version for name, events in found.items() if events}
        return dict(self._recorder.known(keys)), heads

    def last_position(self) -> int:
        return self._recorder.last_position()

    def state_at(self, position: int) -> bytes:
        return self._recorder.select_notifications(position, 1)[0].state

    def insert(self, events: Sequence[Notification], known: Mapping[bytes, Known]) -> None:
        self.staged.extend(events)
        self.staged_known.update(known)

    def quarantine(self, rejected: Rejected) -> int:
        key = digest(rejected.webhook.body)
        known = self._recorder.quarantine.get(key) or self.refused.get(key)
        number = known.id if known else len(self._recorder.quarantine) + len(self.refused) + 1
        self.refused[key] = Quarantined(
            number,
            rejected.webhook,
            rejected.problem,
            rejected.reason,
            rejected.event_id,
            None,
            None,
        )
        return number
