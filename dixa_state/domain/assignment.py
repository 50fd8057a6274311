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
    current = history[-1].agent if history and history[-1].until is None else None
    if (current or not agent) and same(agent, current):
        return history if how == "inferred" else _explained(history, event, how, grace)
    if current:
        ended = replace(history[-1], until=event.at, until_inferred=how == "inferred")
        history = (*history[:-1], ended)
    return (*history, Assignment(agent, event.at, None, how, event.event_id)) if agent else history


def _explained(
    history: tuple[Assignment, ...], event: Event, how: How, grace: timedelta
) -> tuple[Assignment, ...]:
    """Replace an inferred beginning, or end, by the event that explains it, if it follows soon."""
    last = history[-1] if history else None
    if last is None or event.at - (last.until or last.since) > grace:
        return history
    earlier = history[:-1]
    if last.until is not None:
        ended = replace(last, until=event.at, until_inferred=False)
        return (*earlier, ended) if last.until_inferred else history
    if last.how != "inferred":
        return history
    if earlier and earlier[-1].until_inferred and earlier[-1].until == last.since:
        ended = replace(earlier[-1], until=event.at, until_inferred=False)
        earlier = (*earlier[:-1], ended)
    return (*earlier, replace(last, since=event.at, how=how, event_id=event.event_id))
