"""Queue visits: when the conversation entered a queue, when it left, and with which outcome."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Queue, same

Entry = Literal["enqueued", "transferred", "created", "inferred"]
Outcome = Literal["assigned", "transferred", "abandoned", "closed", "requeued", "unknown"]

_OUTCOMES: dict[Entry, Outcome] = {
    "enqueued": "requeued",
    "transferred": "transferred",
    "created": "unknown",
    "inferred": "unknown",
}
"""How entering another queue ends the visit before."""


class QueueVisit(Struct, gc=False, frozen=True):
    """A wait in a queue: [`enqueued_at`, `left_at`), still running where `left_at` is None.

    `entry` is `inferred` where only a snapshot or the abandonment is evidence of the visit, so that
    it began at `enqueued_at` at the latest; `left_inferred` means the same of its end. The outcome
    is `unknown` where the end was lost. `repeated_at` is when it was enqueued there once more.
    """

    queue: Queue | None
    enqueued_at: datetime
    left_at: datetime | None = None
    outcome: Outcome | None = None
    entry: Entry = "enqueued"
    left_inferred: bool = False
    repeated_at: datetime | None = None

    @property
    def wait(self) -> float | None:
        """The seconds from entering to leaving; None if it still runs or its end was lost."""
        if self.left_at is None or self.outcome == "unknown":
            return None
        return max((self.left_at - self.enqueued_at).total_seconds(), 0.0)

    @property
    def is_exact(self) -> bool:
        """Return whether both its times were reported."""
        return self.entry != "inferred" and not self.left_inferred and self.outcome != "unknown"


Visits = tuple[QueueVisit, ...]


def is_waiting(visits: Visits) -> bool:
    """Return whether a visit still runs."""
    return bool(visits) and visits[-1].left_at is None


def enter_queue(
    visits: Visits, queue: Queue | None, at: datetime, entry: Entry, grace: timedelta
) -> Visits:
    """Begin a visit; to be enqueued again in the same queue changes nothing."""
    if not is_waiting(visits) or not same(visits[-1].queue, queue):
        earlier = leave_queue(
            _retract_inferred(visits, queue, at, entry, grace), at, _OUTCOMES[entry]
        )
        return (*earlier, QueueVisit(queue, at, entry=entry))
    if at - visits[-1].enqueued_at > grace:
        return _replace_last(visits, repeated_at=at)
    return _explained(visits, at, entry)


def _retract_inferred(
    visits: Visits, queue: Queue | None, at: datetime, entry: Entry, grace: timedelta
) -> Visits:
    """Retract the visit of which one snapshot showed both the queue and the end at once."""
    last = visits[-1] if visits and entry != "inferred" else None
    if last is None or last.entry != "inferred" or at - last.enqueued_at > grace:
        return visits
    over = last.left_inferred or last.outcome == "unknown"
    return visits[:-1] if over and same(last.queue, queue) else visits


def _explained(visits: Visits, at: datetime, entry: Entry) -> Visits:
    """Replace the entry by that of the event behind it, which a snapshot or a transfer preceded."""
    visit = visits[-1]
    if visit.entry in ("enqueued", entry) or entry == "inferred":
        return visits
    earlier = visits[:-1]
    if earlier and (earlier[-1].left_at, earlier[-1].outcome) == (visit.enqueued_at, "unknown"):
        earlier = _replace_last(earlier, left_at=at, outcome=_OUTCOMES[entry])
    return (*earlier, replace(visit, enqueued_at=at, entry=entry))


def leave_queue(
    visits: Visits, at: datetime, outcome: Outcome, *, inferred: bool = False
) -> Visits:
    """End the visit that runs, if one does; not before it began, where an earlier end is known."""
    if not is_waiting(visits):
        return visits
    at = max(at, visits[-1].enqueued_at)
    return _replace_last(visits, left_at=at, outcome=outcome, left_inferred=inferred)


def abandon(visits: Visits, queue: Queue | None, at: datetime) -> Visits:
    """End the visit to the queue that an abandonment names, or make it if it is not known."""
    if queue is None or (is_waiting(visits) and same(visits[-1].queue, queue)):
        return leave_queue(visits, at, "abandoned")
    earlier = leave_queue(visits, at, "unknown")
    at = max(at, earlier[-1].left_at or at) if earlier else at
    return (*earlier, QueueVisit(queue, at, at, "abandoned", entry="inferred"))


def lose_end(visits: Visits, at: datetime, grace: timedelta) -> Visits:
    """End the visit that runs although a later event proves that the conversation had ended.

    The visit that the same action began, a moment before that event, goes on.
    """
    if not is_waiting(visits):
        return visits
    visit = visits[-1]
    if visit.repeated_at is not None and at - visit.repeated_at <= grace:
        ended = leave_queue(visits, visit.repeated_at, "unknown")
        return (*ended, QueueVisit(visit.queue, visit.repeated_at))
    if at - visit.enqueued_at > grace:
        return leave_queue(visits, at, "unknown")
    earlier = visits[:-1]
    if earlier and (earlier[-1].left_at, earlier[-1].outcome) == (visit.enqueued_at, "requeued"):
        earlier = _replace_last(earlier, outcome="unknown")
    return (*earlier, visit)


def resume_visit(visits: Visits, outcome: Outcome, at: datetime | None) -> Visits:
    """Resume the visit that ended like this at this time, after that end was retracted."""
    if not visits or (visits[-1].left_at, visits[-1].outcome) != (at, outcome):
        return visits
    return _replace_last(visits, left_at=None, outcome=None, left_inferred=False)


def _replace_last(visits: Visits, **changes: object) -> Visits:
    return (*visits[:-1], replace(visits[-1], **changes))
