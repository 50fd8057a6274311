"""The one fold: from the stored events of a stream to its state.

An event that cannot be read or folded is skipped and returned beside the state. What follows is
one rule: the live projector records it and goes on, a question by name raises
`UnfoldableEventError`, a rebuild stops.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from eventsourcing.persistence import Notification
from msgspec import Struct
from msgspec.structs import replace

from dixa_state.dixa.streams import csid_of
from dixa_state.domain import bans, histories
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import Event, believed, mark_late
from dixa_state.domain.fold import evolve
from dixa_state.domain.states import as_kept
from dixa_state.errors import UnfoldableEventError
from dixa_state.store.deadline import current_deadline

_BLOCK = 250

State = Conversation | Ban
Read = Callable[[Notification], Event]


class Poison(NamedTuple):
    """An event that could not be folded, and why."""

    position: int
    stream: str
    topic: str
    error: str


class FoldedEvents(NamedTuple):
    """Events in the order in which they were folded, and the state before them."""

    before: State
    events: Sequence[Event]


Recent = tuple[FoldedEvents, ...]
"""What was folded last of a stream, the newest at the end: an event that comes late goes in there.

Most that come late are a few events late, and then the stream need not be read and folded anew.
"""

_MOST_RECENT = 8


class FoldResult(NamedTuple):
    """The state of a stream, None where no event of it was folded, and the events skipped."""

    state: State | None
    poison: tuple[Poison, ...] = ()
    recent: Recent = ()

    def require_state(self) -> State | None:
        """Return the state; raise `UnfoldableEventError` if an event was skipped."""
        require_foldable(self.poison)
        return self.state


class Step(Struct, gc=False, frozen=True):
    """One event of a conversation, with the state before and after it."""

    event: Event
    before: Conversation
    after: Conversation


def fold_stream(
    stored: Sequence[Notification],
    read: Read,
    grace: timedelta,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> FoldResult:
    """Fold the events of a stream from the first on, those believed at a moment or all."""
    events, poison = _read_all(stored, read)
    known = believed(mark_late(events), as_of=as_of, known_at=known_at)
    return _fold(None, stored, _in_order(known), grace, poison)


def fold_with_recent(stored: Sequence[Notification], read: Read, grace: timedelta) -> FoldResult:
    """Fold the events of a stream from the first on, and return the last of them as recent."""
    events, poison = _read_all(stored, read)
    ordered = _in_order(mark_late(events))
    earlier, later = ordered[:-_MOST_RECENT], ordered[-_MOST_RECENT:]
    before = _fold(None, stored, earlier, grace, poison).state
    return _fold(before, stored, later, grace, poison)


def fold_further(
    state: State,
    stored: Sequence[Notification],
    read: Read,
    grace: timedelta,
    recent: Recent = (),
) -> FoldResult | None:
    """Fold new events into a state that came of the recent ones.

    Return None if one of them belongs before all that are recent.
    """
    events, poison = _read_all(stored, read)
    events = mark_late(events, state.newest)
    first = min((event.order for event in events), default=None)
    while first is not None and state.newest is not None and first <= state.newest:
        if not recent:
            return None
        *earlier, (state, later) = recent
        events, recent = [*later, *events], tuple(earlier)
    result = _fold(state, stored, _in_order(events), grace, poison)
    return result._replace(recent=(*recent, *result.recent)[-_MOST_RECENT:])


def timeline(
    stored: Sequence[Notification],
    read: Read,
    grace: timedelta,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Iterator[Step]:
    """Yield the events of a conversation in event-time order, with the state before and after."""
    events, poison = _read_all(stored, read)
    require_foldable(poison)
    known = believed(mark_late(events), as_of=as_of, known_at=known_at)
    ordered = _in_order(known)
    for event, before, after in _steps(None, _stream(stored), ordered, grace, poison):
        require_foldable(poison)
        if isinstance(before, Conversation) and isinstance(after, Conversation):
            yield Step(event, before, after)
    require_foldable(poison)


def without_snapshot(step: Step, grace: timedelta) -> Conversation:
    """Return the state after an event as it would be if its body held no snapshot."""
    return evolve(step.before, replace(step.event, snapshot=None), grace=grace)


def require_foldable(poison: Sequence[Poison]) -> None:
    """Raise `UnfoldableEventError` for the first of these events, if there is one."""
    for position, stream, _, error in poison:
        raise UnfoldableEventError(f"event {position} of {stream} cannot be folded: {error}")


def _read_all(stored: Iterable[Notification], read: Read) -> tuple[list[Event], list[Poison]]:
    events: list[Event] = []
    poison: list[Poison] = []
    deadline = current_deadline()
    for notification in stored:
        deadline.check()
        try:
            events.append(read(notification))
        except Exception as error:  # noqa: BLE001 — one event must not stop the others
            stream = str(notification.originator_id)
            poison.append(Poison(notification.id, stream, notification.topic, _one_line(error)))
    return events, poison


def _fold(
    before: State | None,
    stored: Sequence[Notification],
    ordered: Sequence[Event],
    grace: timedelta,
    poison: list[Poison],
) -> FoldResult:
    state, older = before, histories.Older()
    for start in range(0, len(ordered), _BLOCK):
        if state is not None and start:
            state = histories.detach(state, older, grace, keep=_BLOCK)
        state = _fold_block(state, _stream(stored), ordered[start : start + _BLOCK], grace, poison)
    if state is not None:
        state = as_kept(histories.attach(state, older))
    recent: Recent = ()
    if ordered:
        recent = (FoldedEvents(before or _initial(_stream(stored), ordered[0]), ordered),)
    return FoldResult(state, tuple(sorted(poison)), recent)


def _fold_block(
    before: State | None,
    stream: str,
    events: Sequence[Event],
    grace: timedelta,
    poison: list[Poison],
) -> State | None:
    """Fold at once; one by one where an event cannot be folded, since that one is skipped."""
    current_deadline().check()
    state = before or _initial(stream, events[0])
    try:
        if isinstance(state, Conversation):
            return evolve(state, *events, grace=grace)
        return bans.fold(state, events)
    except Exception:  # noqa: BLE001 — one event must not stop the others
        steps = [after for _, _, after in _steps(before, stream, events, grace, poison)]
        return steps[-1] if steps else before


def _steps(
    state: State | None,
    stream: str,
    events: Sequence[Event],
    grace: timedelta,
    poison: list[Poison],
) -> Iterator[tuple[Event, State, State]]:
    deadline = current_deadline()
    for event in events:
        deadline.check()
        try:
            before = _initial(stream, event) if state is None else state
            if isinstance(before, Conversation):
                state = evolve(before, event, grace=grace)
            else:
                state = bans.evolve(before, event)
        except Exception as error:  # noqa: BLE001 — one event must not stop the others
            poison.append(Poison(event.position, stream, event.topic, _one_line(error)))
        else:
            yield event, before, state


def _initial(stream: str, event: Event) -> State:
    if stream.startswith("conversation/"):
        return initial(event.organization_id, csid_of(stream))
    kind: bans.BanKind = "enduser" if stream.startswith("enduser/") else "ip"
    return Ban(event.organization_id, kind, bans.subject(event.fact))


def _in_order(events: Sequence[Event]) -> Sequence[Event]:
    """Sort events that were marked; where none of them came late, they are in order."""
    if not any(event.late for event in events):
        return events
    return sorted(events, key=attrgetter("order"))


def _stream(stored: Sequence[Notification]) -> str:
    return str(stored[0].originator_id) if stored else ""


def _one_line(error: Exception) -> str:
    # PostgreSQL refuses NUL in a text, and the message of a driver may hold any
    text = " ".join(f"{type(error).__name__}: {error}".replace("\0", "").split())
    return text[:500]
