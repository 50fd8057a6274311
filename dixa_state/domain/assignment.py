"""Who had the conversation, from when to when, and how they got it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User, same

How = Literal["assigned", "transferred", "inferred"]


class Assignment(Struct, frozen=True):
    """An agent's hold on the conversation: [`since`, `until`), still running where `until` is None.

    `how` is `inferred` where only a snapshot gave it away, that of the event named here.
    """

    agent: User
    since: datetime
    until: datetime | None
    how: How
    event_id: str


def assign(
    history: tuple[Assignment, ...], event: Event, agent: User | None, how: How
) -> tuple[Assignment, ...]:
    """Give the conversation to `agent`, or to nobody; who has it already keeps it."""
    current = history[-1] if history and history[-1].until is None else None
    if same(agent, current.agent if current else None):
        return _confirmed(history, how)
    if current is not None:
        history = (*history[:-1], replace(current, until=event.at))
    if agent is None:
        return history
    return (*history, Assignment(agent, event.at, None, how, event.event_id))


def _confirmed(history: tuple[Assignment, ...], how: How) -> tuple[Assignment, ...]:
    """Let a webhook that was only late by a moment take the place of the snapshot's evidence."""
    if not history or history[-1].until is not None or how == "inferred":
        return history
    if history[-1].how != "inferred":
        return history
    return (*history[:-1], replace(history[-1], how=how))
