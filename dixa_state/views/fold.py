"""From stored events to the states that the views show, where one bad event does not stop the rest.

The projector and the replay both fold here, so that live rows and rebuilt ones are equal.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.dixa.streams import csid_of
from dixa_state.domain import bans
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import Event, Order, mark_late
from dixa_state.domain.fold import evolve
from dixa_state.domain.states import as_kept
from dixa_state.views.generations import Poison

State = Conversation | Ban
Read = Callable[[Notification], Event]


class Folded(NamedTuple):
    """The state of a stream, None where nothing of it could be folded, and what was skipped."""

    state: State | None
    poison: tuple[Poison, ...] = ()


def is_shown(stream: str) -> bool:
    """Tell whether a stream has a place in the views."""
    return stream.startswith(("conversation/", "enduser/", "ip/"))


def fold_stream(
    stream: str, stored: Sequence[Notification], read: Read, grace: timedelta
) -> Folded:
    """Fold a stream from its first event."""
    events, poison = _read_all(stored, read)
    return _fold(None, stream, sorted(mark_late(events), key=_order), grace, poison)


def fold_further(
    before: State, stream: str, stored: Sequence[Notification], read: Read, grace: timedelta
) -> Folded | None:
    """Fold newly arrived events on top of a state; None if one belongs before what is folded."""
    events, poison = _read_all(stored, read)
    if not all(_follows(event, before) for event in events):
        return None
    return _fold(before, stream, sorted(mark_late(events), key=_order), grace, poison)


def _follows(event: Event, before: State) -> bool:
    return before.newest is None or event.order > before.newest


def _read_all(stored: Iterable[Notification], read: Read) -> tuple[list[Event], list[Poison]]:
    events: list[Event] = []
    poison: list[Poison] = []
    for notification in stored:
        try:
            events.append(read(notification))
        except Exception as error:  # noqa: BLE001 — whatever it is, the world goes on
            poison.append(_poison(notification, error))
    return events, poison


def _fold(
    state: State | None,
    stream: str,
    events: Sequence[Event],
    grace: timedelta,
    poison: list[Poison],
) -> Folded:
    for event in events:
        try:
            state = _evolve(state, stream, event, grace)
        except Exception as error:  # noqa: BLE001 — whatever it is, the world goes on
            poison.append(Poison(event.position, stream, event.topic, _named(error)))
    return Folded(state and as_kept(state), tuple(sorted(poison)))


def _evolve(state: State | None, stream: str, event: Event, grace: timedelta) -> State:
    if isinstance(state, Conversation):
        return evolve(state, event, grace=grace)
    if state is not None:
        return bans.evolve(state, event)
    if stream.startswith("conversation/"):
        return evolve(initial(event.organization_id, csid_of(stream)), event, grace=grace)
    kind: bans.BanKind = "enduser" if stream.startswith("enduser/") else "ip"
    return bans.evolve(Ban(event.organization_id, kind, bans.subject(event)), event)


def _poison(notification: Notification, error: Exception) -> Poison:
    stream = str(notification.originator_id)
    return Poison(notification.id, stream, notification.topic, _named(error))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\0", "")[:500]


def _order(event: Event) -> Order:
    return event.order
