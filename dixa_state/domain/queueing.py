"""Visits to queues: when the conversation began to wait, when that ended, and how."""

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
    """Tell whether a visit still runs."""
    return bool(visits) and visits[-1].left_at is None


def enter(
    visits: tuple[QueueVisit, ...], queue: Queue | None, at: datetime
) -> tuple[QueueVisit, ...]:
    """Begin a visit; to be enqueued again in the queue where it waits already changes nothing."""
    if is_waiting(visits) and same(visits[-1].queue, queue):
        return visits
    return (*leave(visits, at, "requeued"), QueueVisit(queue, at))


def leave(visits: tuple[QueueVisit, ...], at: datetime, outcome: Outcome) -> tuple[QueueVisit, ...]:
    """End the visit that runs, if one does."""
    if not is_waiting(visits):
        return visits
    return (*visits[:-1], replace(visits[-1], left_at=at, outcome=outcome))
