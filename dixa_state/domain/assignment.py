"""Assignments: which agent had the conversation, from when to when, and how they got it."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User, same

How = Literal["assigned", "transferred", "inferred"]


class Assignment(Struct, frozen=True):
    """An interval with an agent: [`since`, `until`), still running where `until` is None.

    `how` is `inferred` where only a snapshot is evidence of it, that of the event named here.
    """

    agent: User
    since: datetime
    until: datetime | None
    how: How
    event_id: str


def assign(
    history: tuple[Assignment, ...], event: Event, agent: User | None, how: How, grace: timedelta
) -> tuple[Assignment, ...]:
    """Return the history after an assignment to `agent`, or to nobody; a repeat adds nothing."""
    current = history[-1] if history and history[-1].until is None else None
    if current is not None:
        if same(agent, current.agent):
            return (*history[:-1], _confirmed(current, event, how, grace))
        history = (*history[:-1], replace(current, until=event.at))
    if agent is None:
        return history
    return (*history, Assignment(agent, event.at, None, how, event.event_id))


def _confirmed(assignment: Assignment, event: Event, how: How, grace: timedelta) -> Assignment:
    """Replace an inferred beginning by the event that explains it, if that follows at once."""
    if assignment.how != "inferred" or event.at - assignment.since > grace:
        return assignment
    return replace(assignment, since=event.at, how=how, event_id=event.event_id)
