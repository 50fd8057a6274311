"""The Conversation aggregate: its state, and the changes that events make to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import astuple, replace

from dixa_state.domain.assignment import Assignment, How, assign
from dixa_state.domain.events import (
    Abandoned,
    Created,
    Event,
    Order,
    Queue,
    Snapshot,
    User,
    is_later,
    same,
)
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


class TagChange(Struct, gc=False, frozen=True):
    """A tag added or removed, by an event about tags or inferred from a snapshot."""

    tag: str
    added: bool
    at: datetime
    event_id: str
    inferred: bool


class QueueInterval(Struct, gc=False, frozen=True):
    """The queue that the conversation belonged to from `since` on, or earlier where inferred."""

    queue: Queue | None
    since: datetime
    inferred: bool = False


class LastReported(Struct, gc=False, frozen=True):
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


class PastValues(Struct, gc=False, frozen=True):
    """The values that each field has had, each by its `past_key`.

    A snapshot that is a moment stale can only contain one of these.
    """

    assignee: frozenset[str] = frozenset()
    queue: frozenset[str] = frozenset()
    requester: frozenset[str] = frozenset()
    subject: frozenset[str] = frozenset()


def past_key(value: User | Queue | None) -> str:
    """Return the key that a value is remembered by; nobody and no queue are values, too."""
    return (value and value.key) or ""


class _Fields(Struct, gc=False):
    """What the state of a conversation and the draft of one have in common."""

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

    @property
    def open_since(self) -> datetime | None:
        """Since when it has been open."""
        return self.life.since if self.life.status == "open" else None

    @property
    def next_deadline(self) -> datetime | None:
        """The earliest deadline of the SLA evaluations without an outcome; None once it ended."""
        if self.life.status in ENDED:
            return None
        pending = [one.deadline for one in self.sla if one.status == "pending" and one.deadline]
        return min(pending, default=None)


class Conversation(_Fields, frozen=True):  # type: ignore[misc]  # msgspec allows it
    """The state of one conversation.

    `version` counts the events folded, `late` those of them that came late, `position` is the
    store position of the newest to arrive; `newest` is where the last one stands in the
    fold's order. `tag_ids` and `attribute_ids` are Dixa's ids by name, the newest of each, of every
    tag and attribute that a snapshot ever contained. `losses` are the lost webhooks that were not
    about the status.
    """


class Draft(_Fields):
    """A conversation while events are folded into it, which change it in place.

    Only a fold has one, and nobody else sees it. `agreed` is a snapshot in which there is nothing
    new, until a fact changes a field; `grace` is how stale a snapshot may be.
    """

    agreed: Snapshot | None = None
    grace: timedelta = timedelta()

    @classmethod
    def of(cls, state: Conversation, grace: timedelta) -> Self:
        """Return a draft that begins as this state."""
        draft = cls(*astuple(state))
        draft.grace = grace
        return draft

    def finish(self, events: Sequence[Event]) -> Conversation:
        """Return the state after these events, which were folded into it in this order."""
        if events:
            self.first_event_at = self.first_event_at or events[0].at
            self.last_event_at = events[-1].at
            self.newest = events[-1].order
        self.version += len(events)
        self.position = max([self.position, *(event.position for event in events)])
        self.late += sum(event.late for event in events)
        return Conversation(*astuple(self)[:-2])  # without the two fields of a draft alone

    def remember(self, field: str, *keys: str) -> None:
        """Record values that a field has had, by their keys."""
        past: frozenset[str] = getattr(self.past_values, field)
        if not past.issuperset(keys):
            self.past_values = replace(self.past_values, **{field: past.union(keys)})

    def report(self, **times: datetime) -> None:
        """Record when fields were last reported."""
        self.last_reported = replace(self.last_reported, **times)

    def report_tag(self, tag: str, at: datetime) -> None:
        """Record when a tag was last reported."""
        self.last_reported = replace(self.last_reported, tags=self.last_reported.tags | {tag: at})


def initial(organization_id: str | None, csid: int) -> Conversation:
    """Return the state before the first event."""
    return Conversation(organization_id=organization_id, csid=csid)


def missed(state: Conversation) -> list[Loss]:
    """List everything that proves a lost webhook, in the order of the evidence."""
    return sorted((*state.life.losses, *state.losses), key=lambda loss: loss.at)


def change_status(
    draft: Draft, event: Event, rule: TransitionRule, snapshot_status: Status | None = None
) -> None:
    """Apply an event about the status; `snapshot_status` takes the place of what the rule says."""
    if snapshot_status is not None and snapshot_status != rule.to:
        to = interpret_status(draft.life, snapshot_status)
        rule = replace(rule, to=to, repeat="nothing")
    before, visits = draft.life, draft.visits
    life = retract_inferred(before, event, rule.to, draft.grace)
    if life is not before or is_one_ending(before, event, rule, draft.grace):
        visits = resume_visit(visits, "closed", before.since)
    with_agent = draft.assignee is not None and isinstance(event.shown.assignee, User)
    life = apply_rule(life, event, rule, draft.grace, with_agent=with_agent)
    if life.transitions != before.transitions:
        visits = _with_end(visits, event, life)
    elif rule is REOPENED and life.losses is not before.losses:
        visits = lose_end(visits, event.at, draft.grace)
    draft.life, draft.visits = life, visits


def _with_end(visits: Visits, event: Event, life: Lifecycle) -> Visits:
    """End the queue visit with the conversation."""
    since = life.transitions[-1].at
    if life.status == "abandoned":
        queue = event.fact.queue if isinstance(event.fact, Abandoned) else None
        return abandon(visits, queue or None, since)  # UNSET is falsy
    return leave_queue(visits, since, "closed") if life.status == "closed" else visits


def set_requester(draft: Draft, event: Event, requester: User | None) -> None:
    """Make this end user the requester, and keep the one before."""
    before = draft.requester
    if same(requester, before):
        draft.losses = without_inferred(draft.losses, event.at, "requester", draft.grace)
    elif before is not None:
        draft.earlier_requesters = (*draft.earlier_requesters, before)
    draft.requester = requester
    draft.report(requester=event.at)
    draft.remember("requester", past_key(requester), past_key(before))


def set_assignee(draft: Draft, event: Event, agent: User | UnsetType | None, how: How) -> None:
    """Assign the conversation to an agent, or to nobody; an agent ends the queue visit."""
    inferred, reported_at = how == "inferred", draft.last_reported.assignee
    draft.report(assignee=event.at)
    if isinstance(agent, UnsetType):
        return
    if same(agent, draft.assignee) and not inferred:
        losses = without_inferred(draft.losses, event.at, "assignee", draft.grace)
        if losses is not draft.losses and draft.visits and draft.visits[-1].left_inferred:
            # the snapshot that showed the assignment a moment before had ended the visit
            since = draft.assignments[-1].since
            draft.visits = resume_visit(draft.visits, "assigned", since)
        draft.losses = losses
    if agent is not None:
        draft.visits = leave_queue(draft.visits, event.at, "assigned", inferred=inferred)
    before = _before_history(reported_at, event, inferred=inferred)
    draft.remember("assignee", past_key(agent), *before)
    draft.assignments = assign(draft.assignments, event, agent, how, draft.grace)
    draft.assignee = agent


def unassign(draft: Draft, event: Event, agent: User | None) -> None:
    """End the assignment to this agent, unless the conversation has passed on to another one.

    Where the agent is not named, or is not the assignee, the snapshot decides.
    """
    assignee, reported_at = draft.assignee, draft.last_reported.assignee
    in_snapshot = event.shown.assignee
    # one transfer sends both an assignment and the end of the one before, in either order
    just_passed_on = not is_later(event, reported_at, draft.grace)
    if agent is None:
        if assignee is not None and isinstance(in_snapshot, User) and same(in_snapshot, assignee):
            return
    elif not same(agent, assignee):
        draft.remember("assignee", past_key(agent))
        if assignee is not None and (just_passed_on or isinstance(in_snapshot, User)):
            return
        if not just_passed_on:
            draft.losses += prove_loss(event, "unexpected", "assignee", reported_at)
    set_assignee(draft, event, None, "assigned")


def set_queue(
    draft: Draft, event: Event, queue: Queue | UnsetType | None, *, inferred: bool = False
) -> None:
    """Set the queue of the conversation, where the event names one."""
    reported_at = draft.last_reported.queue
    draft.report(queue=event.at)
    if isinstance(queue, UnsetType):
        return
    if not same(queue, draft.queue):
        draft.queue_history = (*draft.queue_history, QueueInterval(queue, event.at, inferred))
    elif not inferred:
        draft.queue_history = _explained(draft.queue_history, event, draft.grace)
        draft.losses = without_inferred(draft.losses, event.at, "queue", draft.grace)
    before = _before_history(reported_at, event, inferred=inferred)
    draft.remember("queue", past_key(queue), *before)
    draft.queue = queue


def _explained(
    history: tuple[QueueInterval, ...], event: Event, grace: timedelta
) -> tuple[QueueInterval, ...]:
    """Replace an inferred beginning by that of the event that explains it."""
    if not history or not history[-1].inferred or event.at - history[-1].since > grace:
        return history
    return (*history[:-1], QueueInterval(history[-1].queue, event.at))


def transfer_to_agent(draft: Draft, event: Event, agent: User | UnsetType | None) -> None:
    """Transfer to an agent, and to the queue that the event's own snapshot contains."""
    queue = event.shown.queue
    draft.transfers += 1
    set_assignee(draft, event, _destination(agent, event.shown.assignee), "transferred")
    if queue is not UNSET and not same(queue, draft.queue):  # to confirm one is no report on it
        set_queue(draft, event, queue)


def transfer_to_queue(draft: Draft, event: Event, queue: Queue | UnsetType | None) -> None:
    """Transfer to a queue, where it waits from then on, and to whom the own snapshot contains.

    A transfer that names nothing comes here too: it was one to an agent, where the snapshot shows
    another agent and no other queue.
    """
    agent, queue = event.shown.assignee, _destination(queue, event.shown.queue)
    if agent and not same(agent, draft.assignee) and queue and same(queue, draft.queue):
        transfer_to_agent(draft, event, agent)
        return
    visits = draft.visits
    draft.transfers += 1
    if agent is not UNSET and not same(agent, draft.assignee):
        set_assignee(draft, event, agent, "transferred")
    if queue:
        visits = enter_queue(visits, queue, event.at, "transferred", draft.grace)
    else:
        visits = leave_queue(visits, event.at, "transferred")
    set_queue(draft, event, queue)
    draft.visits = visits


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


def set_tag(draft: Draft, event: Event, tag: str | None, *, added: bool) -> None:
    """Add or remove a tag, as an event about tags reports it."""
    if tag is None:
        return
    if (tag in draft.tags) != added:
        change_tag(draft, TagChange(tag, added, event.at, event.event_id, inferred=False))
        return
    draft.report_tag(tag, event.at)
    losses = without_inferred(draft.losses, event.at, "tags", draft.grace, tag)
    if losses is not draft.losses:
        draft.tag_history = _tag_explained(draft.tag_history, event, tag)
    draft.losses = losses


def _tag_explained(history: tuple[TagChange, ...], event: Event, tag: str) -> tuple[TagChange, ...]:
    """Replace the inferred change of a tag by the event that explains it."""
    index = next(i for i in range(len(history) - 1, -1, -1) if history[i].tag == tag)
    change = TagChange(tag, history[index].added, event.at, event.event_id, inferred=False)
    return (*history[:index], *history[index + 1 :], change)


def change_tag(draft: Draft, change: TagChange) -> None:
    """Add or remove a tag."""
    draft.tags ^= {change.tag}
    draft.tag_history = (*draft.tag_history, change)
    draft.report_tag(change.tag, change.at)


def set_attributes(draft: Draft, event: Event, attributes: dict[str, Any]) -> None:
    """Set exactly these custom attributes."""
    if attributes == draft.custom_attributes:
        draft.losses = without_inferred(draft.losses, event.at, "custom_attributes", draft.grace)
    draft.custom_attributes = attributes
    draft.report(custom_attributes=event.at)


def _before_history(
    reported_at: datetime | None, event: Event, *, inferred: bool
) -> tuple[str, ...]:
    """Return nobody where an event is the first report: then the field had a value before it."""
    first = reported_at is None and not inferred and not isinstance(event.fact, Created)
    return (past_key(None),) if first else ()
