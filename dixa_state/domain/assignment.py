"""Assignments: which agent had the conversation, from when to when, and how they got it."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User, same

How = Literal["assigned", "transferred", "inferred"]


class Assignment(Struct, gc=False, frozen=True):
    """An interval with an agent: [`since`, `until`), still running where `until` is None.

    `how` is `inferred` where only a snapshot is evidence of it, that of the event named here;
    `until_inferred` means the same of its end.
    """

    agent: User
    since: datetime
    until: datetime | None
    how: How
    event_id: str
    until_inferred: bool = False


def assign(
    history: tuple[Assignment, ...], event: Event, agent: User | None, how: How, grace: timedelta
) -> tuple[Assignment, ...]:
    """Return the history after an assignment to `agent`, or to nobody; a repeat adds nothing."""
    current = history[-1] if history and history[-1].until is None else None
    if current is not None:
        if same(agent, current.agent):
            return _begin_explained(history, event, how, grace)
        ended = replace(current, until=event.at, until_inferred=how == "inferred")
        history = (*history[:-1], ended)
    elif agent is None:
        return _end_explained(history, event, how, grace)
    if agent is None:
        return history
    return (*history, Assignment(agent, event.at, None, how, event.event_id))


def _begin_explained(
    history: tuple[Assignment, ...], event: Event, how: How, grace: timedelta
) -> tuple[Assignment, ...]:
    """Replace an inferred beginning by the event that explains it, if that follows at once."""
    *earlier, current = history
    if current.how != "inferred" or how == "inferred" or event.at - current.since > grace:
        return history
    if earlier and earlier[-1].until_inferred and earlier[-1].until == current.since:
        earlier[-1] = replace(earlier[-1], until=event.at, until_inferred=False)
    return (*earlier, replace(current, since=event.at, how=how, event_id=event.event_id))


def _end_explained(
    history: tuple[Assignment, ...], event: Event, how: How, grace: timedelta
) -> tuple[Assignment, ...]:
    """Replace an inferred end by the event that explains it, if that follows at once."""
    last = history[-1] if history else None
    if last is None or last.until is None or not last.until_inferred or how == "inferred":
        return history
    if event.at - last.until > grace:
        return history
    return (*history[:-1], replace(last, until=event.at, until_inferred=False))
