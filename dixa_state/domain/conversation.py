"""The Conversation aggregate: its state, and the changes that it can go through."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from dixa_state.domain.assignment import Assignment, How, assign
from dixa_state.domain.events import Event, Order, Queue, User, same
from dixa_state.domain.lifecycle import Lifecycle, Move, Status, meant, without_guess
from dixa_state.domain.lifecycle import move as follow
from dixa_state.domain.messages import Messages
from dixa_state.domain.queueing import QueueVisit, go_on, leave
from dixa_state.domain.ratings import Rating
from dixa_state.domain.sla import SlaEvaluation


class TagChange(Struct, frozen=True):
    """A tag put on or taken off, told by an event or inferred from its snapshot."""

    tag: str
    added: bool
    at: datetime
    event_id: str
    inferred: bool


class QueueStay(Struct, frozen=True):
    """The queue that the conversation belonged to from `since` on."""

    queue: Queue | None
    since: datetime


class Told(Struct, frozen=True):
    """When each field was last spoken about; None as long as nothing is known of it."""

    assignee: datetime | None = None
    queue: datetime | None = None
    requester: datetime | None = None
    subject: datetime | None = None
    tags: datetime | None = None
    custom_attributes: datetime | None = None


class Conversation(Struct, frozen=True):
    """The state of one conversation.

    `version` counts the events folded, `late` those of them that came late, `position` is the
    store position of the newest to arrive; `newest` is where the last one stands in the
    fold's order. `tag_ids` and `attribute_ids` are Dixa's ids as last seen, by name, of whatever
    the conversation was ever shown with: an id is not contested.
    """

    organization_id: str | None
    csid: int
    life: Lifecycle = Lifecycle()
    dixa_status: str | None = None
    channel: str | None = None
    direction: str | None = None
    contact_point: str | None = None
    created_at: datetime | None = None
    subject: str | None = None
    requester: User | None = None
    earlier_requesters: tuple[User, ...] = ()
    assignee: User | None = None
    assignments: tuple[Assignment, ...] = ()
    queue: Queue | None = None
    queue_history: tuple[QueueStay, ...] = ()
    visits: tuple[QueueVisit, ...] = ()
    tags: frozenset[str] = frozenset()
    tag_history: tuple[TagChange, ...] = ()
    tag_ids: dict[str, str] = {}
    custom_attributes: dict[str, Any] = {}
    attribute_ids: dict[str, str] = {}
    ratings: tuple[Rating, ...] = ()
    sla: tuple[SlaEvaluation, ...] = ()
    messages: Messages = Messages()
    notes: int = 0
    transfers: int = 0
    typing: int = 0
    deliveries_failed: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    newest: Order | None = None
    told: Told = Told()
    version: int = 0
    position: int = 0
    late: int = 0

    @property
    def status(self) -> Status | None:
        """The lifecycle status; None as long as nothing tells of it."""
        return self.life.status


def initial(organization_id: str | None, csid: int) -> Conversation:
    """Give the state before the first event."""
    return Conversation(organization_id=organization_id, csid=csid)


def move(
    state: Conversation,
    event: Event,
    way: Move,
    grace: timedelta,
    *,
    shown: Status | None = None,
) -> Conversation:
    """Follow an event about the status, to where it leads or to the status that it shows."""
    way = way if shown is None else replace(way, to=meant(state.life, shown))
    state = _without_guess(state, event, way.to, grace)
    life = follow(state.life, event, way, assigned=state.assignee is not None)
    return live_on(state, event, life)


def live_on(state: Conversation, event: Event, life: Lifecycle) -> Conversation:
    """Go on with this lifecycle; whatever ends the conversation ends its wait in a queue."""
    match life.status:
        case "closed" | "abandoned" as end:
            return replace(state, life=life, visits=leave(state.visits, event.at, end))
        case _:
            return replace(state, life=life)


def _without_guess(state: Conversation, event: Event, to: Status, grace: timedelta) -> Conversation:
    life = without_guess(state.life, event, to, grace)
    if life is state.life:
        return state
    return replace(state, life=life, visits=go_on(state.visits, state.life.since))


def belong_to(state: Conversation, event: Event, requester: User | None) -> Conversation:
    """Let the conversation belong to this end user."""
    told = replace(state.told, requester=event.at)
    earlier = state.earlier_requesters
    if state.requester is not None and not same(requester, state.requester):
        earlier = (*earlier, state.requester)
    return replace(state, requester=requester, earlier_requesters=earlier, told=told)


def assign_to(
    state: Conversation,
    event: Event,
    agent: User | UnsetType | None,
    how: How,
    grace: timedelta,
) -> Conversation:
    """Give the conversation to an agent, or to nobody; an agent ends the wait in a queue."""
    told = replace(state.told, assignee=event.at)
    if isinstance(agent, UnsetType):
        return replace(state, told=told)
    visits = state.visits
    if agent is not None:
        visits = leave(visits, event.at, "assigned")
    return replace(
        state,
        assignee=agent,
        assignments=assign(state.assignments, event, agent, how, grace),
        visits=visits,
        told=told,
    )


def take_from(
    state: Conversation, event: Event, agent: User | None, grace: timedelta
) -> Conversation:
    """Take the conversation from this agent, unless it has passed on to another one already.

    Where the agent is not named, or is not who has it, the snapshot tells whether somebody does.
    """
    holder, told = state.assignee, state.told.assignee
    shown = event.snapshot.assignee if event.snapshot else UNSET
    if agent is None:
        if holder is not None and isinstance(shown, User) and same(shown, holder):
            return state
    elif holder is not None and not same(agent, holder):
        just_passed_on = told is not None and event.at - told <= grace
        if just_passed_on or isinstance(shown, User):
            return state
    return assign_to(state, event, None, "assigned", grace)


def put_in_queue(
    state: Conversation, event: Event, queue: Queue | UnsetType | None
) -> Conversation:
    """Name the queue of the conversation."""
    told = replace(state.told, queue=event.at)
    if isinstance(queue, UnsetType):
        return replace(state, told=told)
    history = state.queue_history
    if not same(queue, state.queue):
        history = (*history, QueueStay(queue, event.at))
    return replace(state, queue=queue, queue_history=history, told=told)


def set_tags(
    state: Conversation, event: Event, tags: frozenset[str], *, inferred: bool = False
) -> Conversation:
    """Let the conversation have exactly these tags, and keep what changed."""
    changes = tuple(
        TagChange(tag, tag in tags, event.at, event.event_id, inferred)
        for tag in sorted(tags ^ state.tags)
    )
    return replace(
        state,
        tags=tags,
        tag_history=state.tag_history + changes,
        told=replace(state.told, tags=event.at),
    )


def set_attributes(state: Conversation, event: Event, attributes: dict[str, Any]) -> Conversation:
    """Let the conversation have exactly these custom attributes."""
    told = replace(state.told, custom_attributes=event.at)
    return replace(state, custom_attributes=attributes, told=told)
