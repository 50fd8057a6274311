"""Events: one per webhook, with the fact that it reports and the snapshot that it contains.

The storage format is Dixa's own body, verbatim; these types are what the fold reads from it, so
they may change freely as long as every stored body can still be read into them. Their topics may
not: a topic, once stored, names its events for ever.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace


class User(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A person as Dixa describes them: an end user, an agent, or a bot.

    Bodies are decoded straight into it, where a field under another name is no missing one.
    """

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    user_type: str | None = None
    roles: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """Return what identifies the user: the id, or the next best thing that is given."""
        return self.id or self.email or self.phone or self.name

    @property
    def is_end_user(self) -> bool:
        """Return whether this is a customer; older payloads have a role instead of a user type."""
        if self.user_type is not None:
            return self.user_type.casefold() == "contact"
        return any(role.casefold() == "enduser" for role in self.roles)

    @property
    def is_agent(self) -> bool:
        """Return whether this is a human member of the organization."""
        if self.user_type is not None:
            return self.user_type.casefold() == "member"
        return self.key is not None and not self.is_end_user


class Queue(Struct, gc=False, frozen=True):
    """A queue, by id and name."""

    id: str | None = None
    name: str | None = None

    @property
    def key(self) -> str | None:
        """Return what identifies the queue: the id, or else the name."""
        return self.id or self.name


def same(one: User | Queue | None, other: User | Queue | None) -> bool:
    """Return whether two users, or two queues, have the same key, whatever else is known."""
    return (one and one.key) == (other and other.key)


class Snapshot(Struct, gc=False, frozen=True):
    """The conversation as Dixa saw it when it sent the event; can be a moment stale.

    None means that the body does not contain the field. For assignee and queue, None is a value
    (nobody, no queue), so there an absent field is `UNSET`. `tag_ids` and `attribute_ids` are the
    ids of tags and custom attributes, by name.
    """

    status: str | None = None
    channel: str | None = None
    direction: str | None = None
    contact_point: str | None = None
    created_at: datetime | None = None
    requester: User | None = None
    assignee: User | UnsetType | None = UNSET
    queue: Queue | UnsetType | None = UNSET
    subject: str | None = None
    tags: frozenset[str] | None = None
    tag_ids: dict[str, str] = {}
    custom_attributes: dict[str, Any] | None = None
    attribute_ids: dict[str, str] = {}


HIDDEN = Snapshot()

Field = Literal["status", "requester", "queue", "assignee", "subject", "tags", "custom_attributes"]


def _about(*fields: Field) -> frozenset[Field]:
    return frozenset(fields)


class Fact(Struct, gc=False, frozen=True):
    """The content of an event: `about` are the fields on which it is the authority.

    `rank` orders facts of one instant: creation first, the rating last.
    """

    about: ClassVar[frozenset[Field]] = _about()
    rank: ClassVar[int] = 50


class Created(Fact, frozen=True):
    """The conversation began."""

    about = _about("status")
    rank = 0


class Reopened(Fact, frozen=True):
    """The conversation was opened again."""

    about = _about("status")
    rank = 5


class FollowUpExpired(Fact, frozen=True):
    """The follow-up that `user` had added ran out."""

    user: User | None = None
    about = _about("status")
    rank = 6


class TransferredToQueue(Fact, frozen=True):
    """The conversation was transferred to a queue."""

    queue: Queue | UnsetType | None = UNSET
    about = _about("assignee", "queue")
    rank = 10


class TransferredToAgent(Fact, frozen=True):
    """The conversation was transferred to an agent."""

    agent: User | UnsetType | None = UNSET
    about = _about("assignee", "queue")
    rank = 10


class Unassigned(Fact, frozen=True):
    """The conversation was taken from `agent`."""

    agent: User | None = None
    about = _about("assignee")
    rank = 15


class Enqueued(Fact, frozen=True):
    """The conversation entered a queue."""

    queue: Queue | UnsetType | None = UNSET
    about = _about("queue")
    rank = 20


class Assigned(Fact, frozen=True):
    """The conversation was given to `agent`."""

    agent: User | UnsetType | None = UNSET
    about = _about("assignee")
    rank = 30


class MessageAdded(Fact, frozen=True):
    """A message came in from the customer, or went out to them; `attachments` are their names."""

    direction: str | None = None
    author: User | None = None
    message_id: str | None = None
    channel: str | None = None
    text: str | None = None
    attachments: tuple[str, ...] | None = None
    rank = 40


SlaStatus = Literal["pending", "breached", "achieved", "voided"]


class SlaEvaluated(Fact, frozen=True):
    """An SLA evaluation reached an outcome."""

    status: SlaStatus
    id: str | None = None
    policy: str | None = None
    metric: str | None = None
    deadline: datetime | None = None


class SlaEvaluationBegan(SlaEvaluated, frozen=True):
    """An SLA evaluation began; before its outcome, should both come in one instant."""

    rank = 45


class NoteAdded(Fact, frozen=True):
    """An internal note was written."""

    author: User | None = None
    note_id: str | None = None
    text: str | None = None


class TagAdded(Fact, frozen=True):
    """A tag was put on the conversation."""

    tag: str | None = None
    about = _about("tags")


class TagRemoved(Fact, frozen=True):
    """A tag was taken off the conversation."""

    tag: str | None = None
    about = _about("tags")
    rank = 49  # tags swapped in one instant: the old one goes first


class CustomAttributesUpdated(Fact, frozen=True):
    """Custom attributes got these values."""

    values: dict[str, Any]
    about = _about("custom_attributes")


class EndUserReplaced(Fact, frozen=True):
    """The conversation now belongs to another end user."""

    new: User | None = None
    old: User | None = None
    about = _about("requester")


class TypingStarted(Fact, frozen=True):
    """An agent began to type."""

    agent: User | None = None


DeliveryFate = Literal["sent", "delivered", "seen", "failed", "info", "spam_complaint"]


class DeliveryReported(Fact, frozen=True):
    """The fate of an outbound message."""

    fate: DeliveryFate
    message_id: str | None = None


class FollowUpAdded(Fact, frozen=True):
    """The conversation waits for a follow-up."""

    about = _about("status")
    rank = 60


class Closed(Fact, frozen=True):
    """The conversation was closed."""

    about = _about("status")
    rank = 80


class Abandoned(Fact, frozen=True):
    """The conversation ended without an agent; `queue` is where it had waited."""

    queue: Queue | UnsetType | None = UNSET
    about = _about("status", "queue")
    rank = 85


class Rated(Fact, frozen=True):
    """The customer gave a score, or a comment on the score given before."""

    type: str | None = None
    score: int | float | None = None
    comment: str | None = None
    agent: User | None = None
    rank = 90


class BanReported(Fact, frozen=True):
    """An end user or an IP address was banned, or the ban was lifted."""

    banned: bool
    user: User | None = None
    address: str | None = None


class Unrecognised(Fact, frozen=True):
    """An event that the catalogue does not know; kept, and listed as it is."""

    fqn: str


AnyFact = (
    Created
    | Reopened
    | FollowUpAdded
    | FollowUpExpired
    | Closed
    | Abandoned
    | Enqueued
    | Assigned
    | Unassigned
    | TransferredToAgent
    | TransferredToQueue
    | MessageAdded
    | NoteAdded
    | TagAdded
    | TagRemoved
    | CustomAttributesUpdated
    | EndUserReplaced
    | Rated
    | SlaEvaluated
    | SlaEvaluationBegan
    | TypingStarted
    | DeliveryReported
    | BanReported
    | Unrecognised
)


class Order(Struct, gc=False, frozen=True, order=True, array_like=True):
    """The fold's order; arrival order is an accident that it must not depend on."""

    at: datetime
    rank: int
    event_id: str


class Event(Struct, gc=False, frozen=True):
    """One webhook, read.

    `at` is when Dixa emitted it; `received_at`, `version` (order of arrival in its stream, from 1),
    `position` (order of arrival in the store, from 1) and `late` (a later event of the stream was
    here first) are the facts of its arrival.
    """

    organization_id: str | None
    event_id: str
    topic: str
    at: datetime
    fact: AnyFact
    actor: User | None
    snapshot: Snapshot | None
    received_at: datetime
    version: int
    position: int
    late: bool = False

    @property
    def order(self) -> Order:
        """Where the fold puts this event."""
        return Order(self.at, self.fact.rank, self.event_id)

    @property
    def shown(self) -> Snapshot:
        """The snapshot, or one that contains nothing."""
        return self.snapshot or HIDDEN


def is_later(event: Event, reported_at: datetime | None, grace: timedelta) -> bool:
    """Return whether an event is the first report, or the grace and more after the last one."""
    return reported_at is None or event.at - reported_at > grace


def mark_late(events: Iterable[Event], newest: Order | None = None) -> list[Event]:
    """Mark the late ones among a stream's events, given in order of arrival.

    `newest` is where the newest stands of those that arrived before them.
    """
    marked: list[Event] = []
    for event in events:
        order = event.order
        if newest is None or order > newest:
            newest = order
            marked.append(event)
        else:
            marked.append(replace(event, late=True))
    return marked


def believed(
    events: Iterable[Event], *, as_of: datetime | None = None, known_at: datetime | None = None
) -> list[Event]:
    """List the events that had happened by `as_of`, of those received by `known_at`."""
    return [
        event
        for event in events
        if (as_of is None or event.at <= as_of)
        and (known_at is None or event.received_at <= known_at)
    ]
