"""Durations of one conversation, in seconds, as support desks define them.

An interval that still runs is counted to the moment asked for; nothing here is ever stored.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import STATUSES, Lifecycle, Status
from dixa_state.domain.messages import Response

Interval = tuple[datetime, datetime]


class Durations(Struct, frozen=True):
    """All durations, in seconds; None where there is nothing to measure.

    - `first_response`: first inbound customer message to the first outbound message of a human
      agent; a conversation that an agent began has none.
    - `next_responses`: the same for every later gap, one each.
    - `first_resolution`, `full_resolution`: created to the first, and to the last, close.
    - `in_status`: the sum of the half-open intervals spent in each status.
    - `queue_wait`: enqueued to assigned (or to however the visit ended), all visits together.
    - `assigned`: time with an agent while the conversation had not ended.
    """

    first_response: float | None
    next_responses: tuple[float, ...]
    first_resolution: float | None
    full_resolution: float | None
    in_status: dict[Status, float]
    queue_wait: float | None
    assigned: float | None


def durations(state: Conversation, at: datetime) -> Durations:
    """Compute all durations of a conversation as it stands at `at`."""
    waits = [response.seconds for response in responses(state)]
    closes = closed_at(state.life)
    return Durations(
        first_response=waits[0] if waits else None,
        next_responses=tuple(gap.seconds for gap in state.messages.responses[len(waits[:1]) :]),
        first_resolution=_seconds(state.created_at, closes[0]) if closes else None,
        full_resolution=_seconds(state.created_at, closes[-1]) if closes else None,
        in_status={
            status: _total(status_intervals(state.life, at, {status})) for status in STATUSES
        },
        queue_wait=_queue_wait(state, at),
        assigned=_assigned(state, at),
    )


def responses(state: Conversation) -> tuple[Response, ...]:
    """List the gaps that agents closed, the first response first; none where an agent began."""
    began = state.messages.started_by_agent or (state.direction or "").casefold() == "outbound"
    return () if began else state.messages.responses


def closed_at(life: Lifecycle) -> list[datetime]:
    """List the times of every close, oldest first."""
    return [one.at for one in life.transitions if one.after == "closed"]


def status_intervals(life: Lifecycle, at: datetime, statuses: set[Status]) -> list[Interval]:
    """List the half-open intervals spent in any of these statuses, the last one cut at `at`."""
    transitions = life.transitions
    ends = [*(transition.at for transition in transitions[1:]), at]
    return [
        (transition.at, max(end, transition.at))
        for transition, end in zip(transitions, ends, strict=False)
        if transition.after in statuses
    ]


def _queue_wait(state: Conversation, at: datetime) -> float | None:
    if not state.visits:
        return None
    return _total((visit.enqueued_at, visit.left_at or at) for visit in state.visits)


def _assigned(state: Conversation, at: datetime) -> float | None:
    if not state.assignments:
        return None
    active = status_intervals(state.life, at, {"open", "pending"})
    held = [(one.since, one.until or at) for one in state.assignments]
    return _total((max(a, c), min(b, d)) for a, b in held for c, d in active)


def _total(intervals: Iterable[Interval]) -> float:
    return sum((max((end - start).total_seconds(), 0.0) for start, end in intervals), 0.0)


def _seconds(start: datetime | None, end: datetime) -> float | None:
    """Compute the seconds between Dixa's time of creation and an event, which two clocks keep."""
    return None if start is None else max((end - start).total_seconds(), 0.0)
