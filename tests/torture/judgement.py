"""What must hold: each promise that was made is kept, and nothing else has come in."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from eventsourcing.persistence import Notification
from ledger import Answered, Identity, Ledger
from programs import Programs

from dixa_state.bootstrap import open_place, open_recorder
from dixa_state.dixa.signature import Secrets
from dixa_state.store.append import digest
from dixa_state.store.events import decode_state
from dixa_state.store.recorder import EventRecorder
from dixa_state.views.ranges import Range
from dixa_state.views.verify import check_range

_PAGE = 2_000
_LATEST = 40
_SHOWN = 20


class Judge:
    """Reads a store as it grows, and compares it with what was answered."""

    def __init__(self, store: str, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._stored: dict[int, Identity] = {}
        self._events: set[str] = set()

    @property
    def position(self) -> int:
        """Up to where the store has been read."""
        return len(self._stored)

    def check(self) -> list[str]:
        """Check what was answered since the last check, and the events that have come since."""
        answered = [self._ledger.fresh.popleft() for _ in range(len(self._ledger.fresh))]
        with closing(open_recorder(self._store, create=False)) as recorder:
            return [*self._read(recorder), *self._kept(recorder, answered)]

    def check_views(self) -> list[str]:
        """Refold the streams that the views have taken in last, and compare them."""
        tracker, views = open_place(self._store)
        with tracker, closing(views):
            at = views.progress().position
            latest = tracker.event_recorder.select_notifications(
                at - _LATEST, _LATEST, stop=at, inclusive_of_start=False
            )
            streams = sorted({str(event.originator_id) for event in latest})
            ranges = (Range(stream, f"{stream} ", at) for stream in streams)
            checked = [check_range(Secrets(), (tracker, views), part) for part in ranges]
        return [f"the views at {at}: {finding}" for _, found in checked for finding in found]

    def check_all(self) -> list[str]:
        """Read the whole store, and check all that was ever answered."""
        self._stored.clear()
        self._events.clear()
        with closing(open_recorder(self._store, create=False)) as recorder:
            answered = list(self._ledger.answered.values())
            found = [*self._read(recorder), *self._kept(recorder, answered)]
            return found + list(self._strangers(recorder))

    def _read(self, recorder: EventRecorder) -> list[str]:
        found: list[str] = []
        while page := recorder.select_notifications(self.position, _PAGE, inclusive_of_start=False):
            for stored in page:
                found += self._take(stored)
        return found

    def _take(self, stored: Notification) -> Iterator[str]:
        identity = self._ledger.sent.get(digest(decode_state(stored.state).body))
        if stored.id != self.position + 1:
            yield f"a hole: after position {self.position} comes {stored.id}"
        self._stored[self.position + 1] = identity or (None, "unknown")
        if identity is None or identity[0] is None:
            yield f"event {stored.id} was never sent, or is none: {stored.state[:300]!r}"
        elif identity[0] in self._events:
            yield f"event {stored.id} is stored twice: {identity}"
        else:
            self._events.add(identity[0])

    def _kept(self, recorder: EventRecorder, answered: list[Answered]) -> Iterator[str]:
        aside = [item for item in answered if item.kind == "quarantined"]
        for item in answered:
            if item.position is not None and self._stored.get(item.position) != item.identity:
                yield f"answered {item}, but there is {self._stored.get(item.position)}"
        if aside:
            kept = {digest(item.webhook.body) for item in recorder.select_quarantined()}
            yield from (
                f"answered {item}, but not kept" for item in aside if item.digest not in kept
            )

    def _strangers(self, recorder: EventRecorder) -> Iterator[str]:
        """Find what is in quarantine and was never sent, or should have become an event."""
        for item in recorder.select_quarantined(resolved=True):
            identity = self._ledger.sent.get(digest(item.webhook.body))
            if identity is None or not self._ledger.may_be_set_aside(identity):
                yield f"quarantine {item.id} should not be there: {item.reason}"


def conclude(programs: Programs, ledger: Ledger) -> list[str]:
    """Judge a store at the end, when all was answered and nothing runs any more."""
    judge = Judge(programs.store, ledger)
    found = judge.check_all()
    sent = {event for event, _ in ledger.sent.values() if event is not None}
    if judge.position != len(sent):
        found.append(f"{len(sent)} events were sent and answered, {judge.position} are stored")
    if not found:  # else it is only more of the same
        found += _verified(programs) + _sound(programs.store)
    return shown(found)


def _verified(programs: Programs) -> list[str]:
    code, said = programs.run("verify")
    return [f"verify ends with {code}: {said[-1000:]}"] if code else []


def shown(findings: list[str]) -> list[str]:
    """Give not more findings than somebody reads."""
    more = len(findings) - _SHOWN
    return [*findings[:_SHOWN], f"… and {more} more"] if more > 0 else findings


def _sound(store: str) -> list[str]:
    """Ask SQLite whether its file is sound."""
    if not store.startswith("sqlite"):
        return []
    with closing(sqlite3.connect(urlsplit(store).path[1:])) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    return [] if said == ["ok"] else [f"the file is damaged: {said[:5]}"]
