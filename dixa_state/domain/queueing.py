"""Queue visits: when the conversation entered a queue, when it left, and with which outcome."""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Queue, same

Outcome = Literal["assigned", "transferred", "abandoned", "closed", "requeued"]


class QueueVisit(Struct, frozen=True):
    """A wait in a queue: [`enqueued_at`, `left_at`), still running where `left_at` is None."""

    queue: Queue | None
    enqueued_at: datetime
    left_at: datetime | None = None
    outcome: Outcome | None = None


def is_waiting(visits: tuple[QueueVisit, ...]) -> bool:
    """Return whether a visit still runs."""
    return bool(visits) and visits[-1].left_at is None


def enter_queue(
    visits: tuple[QueueVisit, ...], queue: Queue | None, at: datetime
) -> tuple[QueueVisit, ...]:
    """Begin a visit; to be enqueued again in the same queue changes nothing."""
    if is_waiting(visits) and same(visits[-1].queue, queue):
        return visits
    return (*leave_queue(visits, at, "requeued"), QueueVisit(queue, at))


def resume_visit(visits: tuple[QueueVisit, ...], at: datetime | None) -> tuple[QueueVisit, ...]:
    """Resume the visit that ended with a close at this time, after that close was retracted."""
    if not visits or (visits[-1].left_at, visits[-1].outcome) != (at, "closed"):
        return visits
    return (*visits[:-1], replace(visits[-1], left_at=None, outcome=None))


def end_by_transfer(
    visits: tuple[QueueVisit, ...], queue: Queue | None, at: datetime
) -> tuple[QueueVisit, ...]:
    """End the visit that runs, unless it is in the queue that the transfer leads to."""
    if is_waiting(visits) and queue is not None and same(visits[-1].queue, queue):
        return visits
    return leave_queue(visits, at, "transferred")


def leave_queue(
    visits: tuple[QueueVisit, ...], at: datetime, outcome: Outcome
) -> tuple[QueueVisit, ...]:
    """End the visit that runs, if one does."""
    if not is_waiting(visits):
        return visits
    return (*visits[:-1], replace(visits[-1], left_at=at, outcome=outcome))
