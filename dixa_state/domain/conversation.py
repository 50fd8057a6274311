"""The Conversation aggregate: its state, and the changes that events make to it."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from dixa_state.domain.assignment import Assignment, How, assign
from dixa_state.domain.events import Abandoned, Created, Event, Order, Queue, User, same
from dixa_state.domain.lifecycle import (
    ENDED,
    REOPENED,
    Lifecycle,
    Status,
    TransitionRule,
    apply_rule,
    interpret_status,
    is_one_ending,
    retract_inferred,
)
from dixa_state.domain.losses import Loss, prove_loss, without_inferred
from dixa_state.domain.messages import Messages
from dixa_state.domain.queueing import (
    QueueVisit,
    Visits,
    abandon,
    enter_queue,
    is_waiting,
    leave_queue,
    lose_end,
    resume_visit,
)
from dixa_state.domain.ratings import Rating
from dixa_state.domain.sla import SlaEvaluation

Party = TypeVar("Party", User, Queue)


class TagChange(Struct, frozen=True):
    """A tag added or removed, by an event about tags or inferred from a snapshot."""

    tag: str
    added: bool
    at: datetime
    event_id: str
    inferred: bool


class QueueInterval(Struct, frozen=True):
    """The queue that the conversation belonged to from `since` on, or earlier where inferred."""

    queue: Queue | None
    since: datetime
    inferred: bool = False


class LastReported(Struct, frozen=True):
    """When each field was last reported; None as long as nothing is known of it.

    Tags are reported one by one; `all_tags` is when a snapshot first contained all of them.
    """

    assignee: datetime | None = None
    queue: datetime | None = None
    requester: datetime | None = None
    subject: datetime | None = None
    all_tags: datetime | None = None
    tags: dict[str, datetime] = {}
    custom_attributes: datetime | None = None


class PastValues(Struct, frozen=True):
    """The values that each field has had, by their keys; nobody and no queue are `NOBODY`.

    A snapshot that is a moment stale can only contain one of these.
    """

    assignee: frozenset[str] = frozenset()
    queue: frozenset[str] = frozenset()
    requester: frozenset[str] = frozenset()
    subject: frozenset[str] = frozenset()


NOBODY = ""


class Conversation(Struct, frozen=True):
    """The state of one conversation.

    `version` counts the events folded, `late` those of them that came late, `position` is the
    store position of the newest to arrive; `newest` is where the last one stands in the
    fold's order. `tag_ids` and `attribute_ids` are Dixa's ids by name, the newest of each, of every
    tag and attribute that a snapshot ever contained. `losses` are the lost webhooks that were not
    about the status.
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
    visits: Visits = ()
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
    past_values: PastValues = PastValues()
    losses: tuple[Loss, ...] = ()
    version: int = 0
    position: int = 0
    late: int = 0

    @property
    def status(self) -> Status | None:
        """The lifecycle status; None as long as nothing is known of it."""
        return self.life.status

    @property
    def visit(self) -> QueueVisit | None:
        """The last visit to the queue that the conversation belongs to."""
        last = self.visits[-1] if self.visits and self.queue else None
        return last if last is not None and same(last.queue, self.queue) else None

    @property
    def waiting_since(self) -> datetime | None:
        """Since when it waits in a queue; None where an agent took it or it has ended."""
        return self.visits[-1].enqueued_at if is_waiting(self.visits) else None


def initial(organization_id: str | None, csid: int) -> Conversation:
    """Return the state before the first event."""
    return Conversation(organization_id=organization_id, csid=csid)


def missed(state: Conversation) -> list[Loss]:
    """List everything that proves a lost webhook, in the order of the evidence."""
    return sorted((*state.life.losses, *state.losses), key=lambda loss: loss.at)


def change_status(
    state: Conversation,
    event: Event,
    rule: TransitionRule,
    grace: timedelta,
    *,
    snapshot_status: Status | None = None,
) -> Conversation:
    """Apply an event about the status; `snapshot_status` takes the place of what the rule says."""
    if snapshot_status is not None and snapshot_status != rule.to:
        to = interpret_status(state.life, snapshot_status)
        rule = replace(rule, to=to, repeat="nothing")
    before, visits = state.life, state.visits
    life = retract_inferred(before, event, rule.to, grace)
    if life is not before or is_one_ending(before, event, rule, grace):
        visits = resume_visit(visits, "closed", before.since)
    with_agent = state.assignee is not None and _agent_in_snapshot(event)
    life = apply_rule(life, event, rule, grace, with_agent=with_agent)
    if life.transitions != before.transitions:
        visits = _with_end(visits, event, life)
    elif rule is REOPENED and life.losses is not before.losses:
        visits = lose_end(visits, event.at, grace)
    return replace(state, life=life, visits=visits)


def _agent_in_snapshot(event: Event) -> bool:
    return event.snapshot is not None and isinstance(event.snapshot.assignee, User)


def _with_end(visits: Visits, event: Event, life: Lifecycle) -> Visits:
    """End the queue visit with the conversation."""
    since = life.transitions[-1].at
    if life.status == "abandoned":
        queue = event.fact.queue if isinstance(event.fact, Abandoned) else None
        return abandon(visits, queue or None, since)  # UNSET is falsy
    return leave_queue(visits, since, "closed") if life.status == "closed" else visits


def infer_life(state: Conversation, event: Event, life: Lifecycle) -> Conversation:
    """Set the lifecycle that a snapshot implies; a close ends the queue visit."""
    visits = state.visits
    if life.status in ENDED:
        visits = leave_queue(visits, event.at, "closed", inferred=True)
    return replace(state, life=life, visits=visits)


def set_requester(
    state: Conversation, event: Event, requester: User | None, grace: timedelta
) -> Conversation:
    """Make this end user the requester, and keep the one before."""
    earlier, losses = state.earlier_requesters, state.losses
    if same(requester, state.requester):
        losses = without_inferred(losses, event.at, "requester", grace)
    elif state.requester is not None:
        earlier = (*earlier, state.requester)
    past = _with_values(state.past_values.requester, requester, state.requester)
    return replace(
        state,
        requester=requester,
        earlier_requesters=earlier,
        last_reported=replace(state.last_reported, requester=event.at),
        past_values=replace(state.past_values, requester=past),
        losses=losses,
    )


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
    inferred, losses, visits = how == "inferred", state.losses, state.visits
    if same(agent, state.assignee) and not inferred:
        losses = without_inferred(losses, event.at, "assignee", grace)
        if losses is not state.losses and visits and visits[-1].left_inferred:
            # the snapshot that showed the assignment a moment before had ended the visit
            visits = resume_visit(visits, "assigned", state.assignments[-1].since)
    if agent is not None:
        visits = leave_queue(visits, event.at, "assigned", inferred=inferred)
    before = _before_history(state.last_reported.assignee, event, inferred=inferred)
    past = _with_values(state.past_values.assignee, agent, *before)
    return replace(
        state,
        assignee=agent,
        assignments=assign(state.assignments, event, agent, how, grace),
        visits=visits,
        last_reported=reported,
        past_values=replace(state.past_values, assignee=past),
        losses=losses,
    )


def unassign(
    state: Conversation, event: Event, agent: User | None, grace: timedelta
) -> Conversation:
    """End the assignment to this agent, unless the conversation has passed on to another one.

    Where the agent is not named, or is not the assignee, the snapshot decides.
    """
    assignee, reported_at = state.assignee, state.last_reported.assignee
    in_snapshot = event.snapshot.assignee if event.snapshot else UNSET
    # one transfer sends both an assignment and the end of the one before, in either order
    just_passed_on = reported_at is not None and event.at - reported_at <= grace
    if agent is None:
        if assignee is not None and isinstance(in_snapshot, User) and same(in_snapshot, assignee):
            return state
    elif not same(agent, assignee):
        past = _with_values(state.past_values.assignee, agent)
        state = replace(state, past_values=replace(state.past_values, assignee=past))
        if assignee is not None and (just_passed_on or isinstance(in_snapshot, User)):
            return state
        if not just_passed_on:
            loss = prove_loss(event, "unexpected", "assignee", reported_at)
            state = replace(state, losses=state.losses + loss)
    return set_assignee(state, event, None, "assigned", grace)


def set_queue(
    state: Conversation,
    event: Event,
    queue: Queue | UnsetType | None,
    grace: timedelta,
    *,
    inferred: bool = False,
) -> Conversation:
    """Set the queue of the conversation, where the event names one."""
    reported = replace(state.last_reported, queue=event.at)
    if isinstance(queue, UnsetType):
        return replace(state, last_reported=reported)
    history, losses = state.queue_history, state.losses
    if not same(queue, state.queue):
        history = (*history, QueueInterval(queue, event.at, inferred))
    elif not inferred:
        history = _explained(history, event, grace)
        losses = without_inferred(losses, event.at, "queue", grace)
    before = _before_history(state.last_reported.queue, event, inferred=inferred)
    past = _with_values(state.past_values.queue, queue, *before)
    return replace(
        state,
        queue=queue,
        queue_history=history,
        last_reported=reported,
        past_values=replace(state.past_values, queue=past),
        losses=losses,
    )


def _explained(
    history: tuple[QueueInterval, ...], event: Event, grace: timedelta
) -> tuple[QueueInterval, ...]:
    """Replace an inferred beginning by that of the event that explains it."""
    if not history or not history[-1].inferred or event.at - history[-1].since > grace:
        return history
    return (*history[:-1], QueueInterval(history[-1].queue, event.at))


def transfer_to_agent(
    state: Conversation, event: Event, agent: User | UnsetType | None, grace: timedelta
) -> Conversation:
    """Transfer to an agent, and to the queue that the event's own snapshot contains."""
    snapshot = event.snapshot
    state = replace(state, transfers=state.transfers + 1)
    agent = _destination(agent, snapshot.assignee if snapshot else UNSET)
    state = set_assignee(state, event, agent, "transferred", grace)
    if snapshot is None or snapshot.queue is UNSET or same(snapshot.queue, state.queue):
        return state  # what it only confirms is no report on the field
    return set_queue(state, event, snapshot.queue, grace)


def transfer_to_queue(
    state: Conversation, event: Event, queue: Queue | UnsetType | None, grace: timedelta
) -> Conversation:
    """Transfer to a queue, where it waits from then on, and to whom the own snapshot contains.

    A transfer that names nothing comes here too: it was one to an agent, where the snapshot shows
    another agent and no other queue.
    """
    snapshot = event.snapshot
    agent = snapshot.assignee if snapshot else UNSET
    queue = _destination(queue, snapshot.queue if snapshot else UNSET)
    if agent and not same(agent, state.assignee) and queue and same(queue, state.queue):
        return transfer_to_agent(state, event, agent, grace)
    visits = state.visits
    state = replace(state, transfers=state.transfers + 1)
    if agent is not UNSET and not same(agent, state.assignee):
        state = set_assignee(state, event, agent, "transferred", grace)
    if queue:
        visits = enter_queue(visits, queue, event.at, "transferred", grace)
    else:
        visits = leave_queue(visits, event.at, "transferred")
    return replace(set_queue(state, event, queue, grace), visits=visits)


def _destination(
    named: Party | UnsetType | None, in_snapshot: Party | UnsetType | None
) -> Party | UnsetType | None:
    """Return where a transfer led; its payload is the least documented, so its snapshot decides.

    What is named stands, unless the snapshot contains another one.
    """
    if not named:  # not named, or known to be nobody from the same snapshot
        return named if isinstance(in_snapshot, UnsetType) else in_snapshot
    if not in_snapshot or same(named, in_snapshot):
        return named
    return in_snapshot


def set_tag(
    state: Conversation, event: Event, tag: str | None, grace: timedelta, *, added: bool
) -> Conversation:
    """Add or remove a tag, as an event about tags reports it."""
    if tag is None:
        return state
    reported = _tag_reported(state, event, tag)
    if (tag in state.tags) != added:
        change = TagChange(tag, added, event.at, event.event_id, inferred=False)
        return replace(
            state,
            tags=state.tags ^ {tag},
            tag_history=(*state.tag_history, change),
            last_reported=reported,
        )
    losses = without_inferred(state.losses, event.at, "tags", grace, tag)
    history = state.tag_history
    if losses is not state.losses:
        history = _tag_explained(history, event, tag)
    return replace(state, tag_history=history, last_reported=reported, losses=losses)


def _tag_explained(history: tuple[TagChange, ...], event: Event, tag: str) -> tuple[TagChange, ...]:
    """Replace the inferred change of a tag by the event that explains it."""
    index = next(i for i in range(len(history) - 1, -1, -1) if history[i].tag == tag)
    change = TagChange(tag, history[index].added, event.at, event.event_id, inferred=False)
    return (*history[:index], *history[index + 1 :], change)


def infer_tag(state: Conversation, event: Event, tag: str, *, inferred: bool) -> Conversation:
    """Add or remove a tag, as a snapshot shows it."""
    change = TagChange(tag, tag not in state.tags, event.at, event.event_id, inferred)
    known = state.last_reported
    lost = prove_loss(event, "inferred", "tags", known.tags.get(tag, known.all_tags), tag)
    return replace(
        state,
        tags=state.tags ^ {tag},
        tag_history=(*state.tag_history, change),
        last_reported=_tag_reported(state, event, tag),
        losses=state.losses + (lost if inferred else ()),
    )


def _tag_reported(state: Conversation, event: Event, tag: str) -> LastReported:
    reported = state.last_reported
    return replace(reported, tags=reported.tags | {tag: event.at})


def set_attributes(
    state: Conversation, event: Event, attributes: dict[str, Any], grace: timedelta
) -> Conversation:
    """Set exactly these custom attributes."""
    losses = state.losses
    if attributes == state.custom_attributes:
        losses = without_inferred(losses, event.at, "custom_attributes", grace)
    reported = replace(state.last_reported, custom_attributes=event.at)
    return replace(state, custom_attributes=attributes, last_reported=reported, losses=losses)


def _before_history(
    reported_at: datetime | None, event: Event, *, inferred: bool
) -> tuple[None, ...]:
    """Return nobody where an event is the first report: then the field had a value before it."""
    first = reported_at is None and not inferred and not isinstance(event.fact, Created)
    return (None,) if first else ()


def _with_values(values: frozenset[str], *added: User | Queue | None) -> frozenset[str]:
    new = {(one.key or NOBODY) if one else NOBODY for one in added}
    return values if new <= values else values | new
