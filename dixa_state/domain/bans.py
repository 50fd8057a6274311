"""Bans: small aggregates of their own, one per end user and one per IP address."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import AnyFact, BanReported, Event, Order, User

BanKind = Literal["enduser", "ip"]


class BanChange(Struct, gc=False, frozen=True):
    """The beginning or the end of a ban."""

    banned: bool
    at: datetime
    by: User | None
    event_id: str
    received_at: datetime
    late: bool


class Ban(Struct, gc=False, frozen=True):
    """The ban of an end user or an IP address: whether it holds, since when, and its history."""

    organization_id: str | None
    kind: BanKind
    id: str
    user: User | None = None
    banned: bool = False
    since: datetime | None = None
    by: User | None = None
    history: tuple[BanChange, ...] = ()
    newest: Order | None = None
    version: int = 0
    position: int = 0


def subject(fact: AnyFact) -> str:
    """Return the key of the end user, or the address, that a fact about a ban concerns."""
    if not isinstance(fact, BanReported):
        return ""
    return (fact.user.key if fact.user else fact.address) or ""


def fold(state: Ban, events: Iterable[Event]) -> Ban:
    """Sort the events into event-time order and evolve the state by each."""
    for event in sorted(events, key=lambda event: event.order):
        state = evolve(state, event)
    return state


def evolve(state: Ban, event: Event) -> Ban:
    """Apply one event; a repeat of the same ban changes neither its beginning nor its author."""
    state = replace(
        state,
        newest=event.order,
        version=state.version + 1,
        position=max(state.position, event.position),
    )
    fact = event.fact
    if not isinstance(fact, BanReported):
        return state
    change = BanChange(
        fact.banned, event.at, event.actor, event.event_id, event.received_at, event.late
    )
    state = replace(state, user=fact.user or state.user, history=(*state.history, change))
    if state.since is not None and state.banned == fact.banned:
        return state
    return replace(state, banned=fact.banned, since=event.at, by=event.actor)
