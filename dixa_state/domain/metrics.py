"""Durations of one conversation, in seconds, as support desks define them.

An interval that still runs is counted to the moment asked for; nothing here is ever stored.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.lifecycle import RUNNING, STATUSES, Lifecycle, Status
from dixa_state.domain.messages import Response

Interval = tuple[datetime, datetime]


class Durations(Struct, gc=False, frozen=True):
    """All durations, in seconds; None where there is nothing to measure.

    - `first_response`: first inbound customer message (or creation, where that message is not known
      and the direction is inbound) to the first outbound message of a human agent; a conversation
      that an agent began has none.
    - `next_responses`: the same for every later gap, one each.
    - `first_resolution`, `full_resolution`: created to the first, and to the last, close.
    - `in_status`: the sum of the half-open intervals spent in each status.
    - `queue_wait`: enqueued to assigned (or to however the visit ended), all visits together but
      for those whose end was lost.
    - `assigned`: time with an agent while the conversation had not ended.
    """

    first_response: float | None
    next_responses: tuple[float, ...]
    first_resolution: float | None
    full_resolution: float | None
    in_status: dict[Status, float]
    queue_wait: float | None
    assigned: float | None


class UpperBounds(NamedTuple):
    """The values that are only upper bounds, or rest on one: names of times and of durations.

    A time is an upper bound where it was inferred from a later event, or where what it is the first
    of may have happened before the history that we have.
    """

    times: frozenset[str]
    durations: frozenset[str]


def durations(state: Conversation, at: datetime) -> Durations:
    """Compute all durations of a conversation as it stands at `at`."""
    first, intervals = first_response(state), status_intervals(state.life, at)
    return Durations(
        first_response=first.seconds if first else None,
        next_responses=tuple(gap.seconds for gap in _next_responses(state, first)),
        first_resolution=first_resolution(state),
        full_resolution=full_resolution(state),
        in_status=_in_status(intervals),
        queue_wait=_queue_wait(state, at),
        assigned=_assigned(state, at, intervals),
    )


def upper_bounds(state: Conversation) -> UpperBounds:
    """List which times and durations of a conversation are only upper bounds."""
    summary, midlife = state.life.summary, starts_midlife(state)
    first_closed = is_first_close_bound(state, midlife=midlife)
    assignments = state.assignments
    first_assigned = bool(assignments) and (midlife or assignments[0].how == "inferred")
    inferred = any(one.how == "inferred" or one.until_inferred for one in assignments)
    statuses = inexact_statuses(state, midlife=midlife)
    response = midlife and first_response(state) is not None
    times = {
        "first_response_at": response,
        "first_assigned_at": first_assigned,
        "first_closed_at": first_closed,
        "last_closed_at": summary.last_closed_bound,
    }
    lasting: dict[str, bool] = {
        "first_response": response,
        "first_resolution": first_closed,
        "full_resolution": summary.last_closed_bound,
        "queue_wait": not all(visit.is_exact for visit in state.visits),
        "assigned": inferred or bool(assignments and statuses),
        **dict.fromkeys(statuses, True),
    }
    return UpperBounds(
        frozenset(name for name, bound in times.items() if bound),
        frozenset(name for name, bound in lasting.items() if bound),
    )


def is_first_close_bound(state: Conversation, *, midlife: bool) -> bool:
    """Return whether it may have been closed before the first close that is known."""
    summary = state.life.summary
    return summary.first_closed_at is not None and (midlife or summary.first_closed_bound)


def starts_midlife(state: Conversation) -> bool:
    """Return whether the conversation had a life before the history that we have.

    Where only the webhook of its creation is missing, the history is as good as whole.
    """
    transitions = state.life.transitions
    if transitions and not transitions[0].starts_midlife:
        return False
    created, first = state.created_at, state.first_event_at
    return created is None or first is None or first - created > GRACE


def first_response(state: Conversation) -> Response | None:
    """Return the first response; Dixa's direction decides who began, where it is known."""
    direction, messages = (state.direction or "").casefold(), state.messages
    opening = messages.opening
    if direction == "outbound" or (opening and direction != "inbound"):
        return None
    if opening is None:
        return messages.responses[0] if messages.responses else None
    # the customer's message that the agent answered is not known, but it came with the creation
    created = state.created_at
    return Response(created, opening.at, opening.agent) if created else None


def _next_responses(state: Conversation, first: Response | None) -> tuple[Response, ...]:
    gaps = state.messages.responses
    return gaps[1:] if gaps and gaps[0] is first else gaps


def first_resolution(state: Conversation) -> float | None:
    """Compute the seconds from creation to the first close."""
    return _seconds(state.created_at, state.life.summary.first_closed_at)


def full_resolution(state: Conversation) -> float | None:
    """Compute the seconds from creation to the last close."""
    return _seconds(state.created_at, state.life.summary.last_closed_at)


def _in_status(intervals: Iterable[tuple[Status, Interval]]) -> dict[Status, float]:
    seconds = dict.fromkeys(STATUSES, 0.0)
    for status, (start, end) in intervals:
        seconds[status] += (end - start).total_seconds()
    return seconds


def status_intervals(life: Lifecycle, at: datetime) -> list[tuple[Status, Interval]]:
    """List the half-open intervals spent in each status, the last one cut at `at`."""
    transitions = life.transitions
    ends = (*(transition.at for transition in transitions[1:]), at)
    return [
        (transition.after, (transition.at, max(end, transition.at)))
        for transition, end in zip(transitions, ends, strict=False)
    ]


def inexact_statuses(state: Conversation, *, midlife: bool) -> frozenset[Status]:
    """List the statuses that began or ended at a time that is only an upper bound."""
    life = state.life
    if life.summary.doubtful:
        return life.had
    first = {life.transitions[0].after} if midlife and life.transitions else frozenset()
    return life.summary.inexact | first


def _queue_wait(state: Conversation, at: datetime) -> float | None:
    known = [visit for visit in state.visits if visit.outcome != "unknown"]
    if not known:
        return None
    return _total((visit.enqueued_at, visit.left_at or at) for visit in known)


def _assigned(
    state: Conversation, at: datetime, intervals: Iterable[tuple[Status, Interval]]
) -> float | None:
    if not state.assignments:
        return None
    active = [interval for status, interval in intervals if status in RUNNING]
    return _total(_overlaps([(one.since, one.until or at) for one in state.assignments], active))


def _overlaps(one: list[Interval], other: list[Interval]) -> Iterator[Interval]:
    """Yield where two ascending lists of intervals overlap, in one walk through both."""
    first = second = 0
    while first < len(one) and second < len(other):
        (a, b), (c, d) = one[first], other[second]
        yield max(a, c), min(b, d)
        if b <= d:
            first += 1
        else:
            second += 1


def _total(intervals: Iterable[Interval]) -> float:
    return sum((max((end - start).total_seconds(), 0.0) for start, end in intervals), 0.0)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Compute the seconds between Dixa's time of creation and an event, which two clocks keep."""
    if start is None or end is None:
        return None
    return max((end - start).total_seconds(), 0.0)
