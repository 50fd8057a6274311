"""The Conversation aggregate: its state, and the changes that events make to it."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from dixa_state.domain.assignment import Assignment, How, assign
from dixa_state.domain.events import Event, Order, Queue, User, same
from dixa_state.domain.lifecycle import (
    Lifecycle,
    Status,
    TransitionRule,
    apply_rule,
    interpret_status,
    retract_inferred,
)
from dixa_state.domain.messages import Messages
from dixa_state.domain.queueing import QueueVisit, leave_queue, resume_visit
from dixa_state.domain.ratings import Rating
from dixa_state.domain.sla import SlaEvaluation


class TagChange(Struct, frozen=True):
    """A tag added or removed, by an event about tags or inferred from a snapshot."""

    tag: str
    added: bool
    at: datetime
    event_id: str
    inferred: bool


class QueueInterval(Struct, frozen=True):
    """The queue that the conversation belonged to from `since` on."""

    queue: Queue | None
    since: datetime


class LastReported(Struct, frozen=True):
    """When each field was last reported; None as long as nothing is known of it."""

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
    fold's order. `tag_ids` and `attribute_ids` are Dixa's ids by name, the newest of each, of every
    tag and attribute that a snapshot ever contained.
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
    queue_history: tuple[QueueInterval, ...] = ()
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
    last_reported: LastReported = LastReported()
    version: int = 0
    position: int = 0
    late: int = 0

    @property
    def status(self) -> Status | None:
        """The lifecycle status; None as long as nothing is known of it."""
        return self.life.status


def initial(organization_id: str | None, csid: int) -> Conversation:
    """Return the state before the first event."""
    return Conversation(organization_id=organization_id, csid=csid)


def change_status(
    state: Conversation,
    event: Event,
    rule: TransitionRule,
    grace: timedelta,
    *,
    snapshot_status: Status | None = None,
) -> Conversation:
    """Apply an event about the status; `snapshot_status` takes the place of what the rule says."""
    if snapshot_status is not None:
        rule = replace(rule, to=interpret_status(state.life, snapshot_status))
    state = _retract_inferred(state, event, rule.to, grace)
    life = apply_rule(state.life, event, rule, assigned=state.assignee is not None)
    return with_lifecycle(state, event, life)


def with_lifecycle(state: Conversation, event: Event, life: Lifecycle) -> Conversation:
    """Return the state with this lifecycle; the end of the conversation ends its queue visit."""
    match life.status:
        case "closed" | "abandoned" as end:
            return replace(state, life=life, visits=leave_queue(state.visits, event.at, end))
        case _:
            return replace(state, life=life)


def _retract_inferred(
    state: Conversation, event: Event, to: Status, grace: timedelta
) -> Conversation:
    life = retract_inferred(state.life, event, to, grace)
    if life is state.life:
        return state
    return replace(state, life=life, visits=resume_visit(state.visits, state.life.since))


def set_requester(state: Conversation, event: Event, requester: User | None) -> Conversation:
    """Make this end user the requester, and keep the one before."""
    reported = replace(state.last_reported, requester=event.at)
    earlier = state.earlier_requesters
    if state.requester is not None and not same(requester, state.requester):
        earlier = (*earlier, state.requester)
    return replace(state, requester=requester, earlier_requesters=earlier, last_reported=reported)


def set_assignee(
    state: Conversation,
    event: Event,
    agent: User | UnsetType | None,
    how: How,
    grace: timedelta,
) -> Conversation:
    """Assign the conversation to an agent, or to nobody; an agent ends the queue visit."""
    reported = replace(state.last_reported, assignee=event.at)
    if isinstance(agent, UnsetType):
        return replace(state, last_reported=reported)
    visits = state.visits
    if agent is not None:
        visits = leave_queue(visits, event.at, "assigned")
    return replace(
        state,
        assignee=agent,
        assignments=assign(state.assignments, event, agent, how, grace),
        visits=visits,
        last_reported=reported,
    )


def unassign(
    state: Conversation, event: Event, agent: User | None, grace: timedelta
) -> Conversation:
    """End the assignment to this agent, unless the conversation has passed on to another one.

    Where the agent is not named, or is not the assignee, the snapshot decides.
    """
    assignee, reported_at = state.assignee, state.last_reported.assignee
    in_snapshot = event.snapshot.assignee if event.snapshot else UNSET
    if agent is None:
        if assignee is not None and isinstance(in_snapshot, User) and same(in_snapshot, assignee):
            return state
    elif assignee is not None and not same(agent, assignee):
        # one transfer sends both an assignment and the end of the one before, in either order
        just_passed_on = reported_at is not None and event.at - reported_at <= grace
        if just_passed_on or isinstance(in_snapshot, User):
            return state
    return set_assignee(state, event, None, "assigned", grace)


def set_queue(state: Conversation, event: Event, queue: Queue | UnsetType | None) -> Conversation:
    """Set the queue of the conversation, where the event names one."""
    reported = replace(state.last_reported, queue=event.at)
    if isinstance(queue, UnsetType):
        return replace(state, last_reported=reported)
    history = state.queue_history
    if not same(queue, state.queue):
        history = (*history, QueueInterval(queue, event.at))
    return replace(state, queue=queue, queue_history=history, last_reported=reported)


def set_tags(
    state: Conversation, event: Event, tags: frozenset[str], *, inferred: bool = False
) -> Conversation:
    """Set exactly these tags, and keep each change."""
    changes = tuple(
        TagChange(tag, tag in tags, event.at, event.event_id, inferred)
        for tag in sorted(tags ^ state.tags)
    )
    return replace(
        state,
        tags=tags,
        tag_history=state.tag_history + changes,
        last_reported=replace(state.last_reported, tags=event.at),
    )


def set_attributes(state: Conversation, event: Event, attributes: dict[str, Any]) -> Conversation:
    """Set exactly these custom attributes."""
    reported = replace(state.last_reported, custom_attributes=event.at)
    return replace(state, custom_attributes=attributes, last_reported=reported)
