"""The JSON that users and programs rely on, as types: the contract's objects, key by key.

Times are RFC 3339 in UTC with `Z`, durations seconds, ids strings, `csid` an integer. A field with
no value is null, never absent. The checker holds `documents.py` to these types, and the description
of the HTTP API is made from them.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of Python 3.12 and later only

from dixa_state.domain.events import SlaStatus
from dixa_state.domain.lifecycle import Status

Time = Annotated[str, Field(examples=["2026-03-02T08:00:00.000Z"])]


class User(TypedDict):
    """A person as Dixa shows them: an end user, an agent, or a bot."""

    id: str | None
    name: str | None
    email: str | None
    phone: str | None
    user_type: str | None


class Queue(TypedDict):
    """A queue."""

    id: str | None
    name: str | None


class Sla(TypedDict):
    """An SLA evaluation of a conversation."""

    id: str | None
    policy: str | None
    metric: str | None
    status: SlaStatus
    deadline: Time | None
    since: Time


class Rating(TypedDict):
    """A rating, with the comment that may have followed it."""

    type: str | None
    score: float | None
    comment: str | None
    agent: User | None
    rated_at: Time


class Counts(TypedDict):
    """What has been counted over the events of a conversation."""

    events: int
    messages_inbound: int
    messages_outbound: int
    notes: int
    transfers: int
    reopens: int
    assignments: int
    irregular: int
    inferred: int
    late: int
    typing: int
    deliveries_failed: int


class Times(TypedDict):
    """When things happened to a conversation for the first or last time."""

    first_response_at: Time | None
    first_assigned_at: Time | None
    first_closed_at: Time | None
    last_closed_at: Time | None
    last_message_at: Time | None
    last_customer_message_at: Time | None
    last_event_at: Time | None


class Durations(TypedDict):
    """How long things took, in seconds; what still runs is counted to `as_of`, or to now."""

    first_response: float | None
    first_resolution: float | None
    full_resolution: float | None
    open: float | None
    pending: float | None
    closed: float | None
    abandoned: float | None
    queue_wait: float | None
    assigned: float | None


class Conversation(TypedDict):
    """The state of one conversation: `version` events folded, the newest at store `position`."""

    organization_id: str | None
    csid: int
    status: Status | None
    status_since: Time | None
    dixa_status: str | None
    channel: str | None
    direction: str | None
    subject: str | None
    contact_point: str | None
    created_at: Time | None
    requester: User | None
    assignee: User | None
    assigned_at: Time | None
    queue: Queue | None
    enqueued_at: Time | None
    tags: list[str]
    custom_attributes: dict[str, Any]
    sla_status: Literal["pending", "breached", "achieved", "voided", "none"]
    sla: list[Sla]
    ratings: list[Rating]
    counts: Counts
    times: Times
    durations: Durations
    version: int
    position: int
    as_of: Time | None
    known_at: Time | None


Transition = TypedDict(  # "from" is no name in Python
    "Transition",
    {
        "organization_id": str | None,
        "csid": int,
        "sequence": int,
        "from": Status | None,
        "to": Status,
        "at": Time,
        "received_at": Time,
        "event_id": str,
        "event": str,
        "actor": User | None,
        "irregular": str | None,
        "inferred": bool,
        "late": bool,
        "seconds_in_previous": float | None,
    },
)


class SlaRow(TypedDict):
    """An SLA evaluation in a list over all conversations."""

    organization_id: str | None
    csid: int
    id: str | None
    policy: str | None
    metric: str | None
    status: SlaStatus
    deadline: Time | None
    since: Time | None
    began_at: Time | None
    channel: str | None
    queue: str | None
    agent: str | None


class Share(TypedDict):
    """The share of SLAs kept, `achieved / (achieved + breached)`, for one value."""

    by: str | None
    value: str | None
    achieved: int
    breached: int
    pending: int
    voided: int
    attainment: float | None


class Measure(TypedDict):
    """A duration over many, in seconds; `cohort` is the date that put each of them in."""

    cohort: str
    count: int
    average: float | None
    p50: float | None
    p90: float | None


class Poison(TypedDict):
    """An event that could not be folded, and why."""

    position: int
    stream: str
    event: str
    error: str


class Stats(TypedDict):
    """Counts and durations over many conversations."""

    position: int
    conversations: int
    transitions: int
    by_status: dict[str, int]
    by_sla_status: dict[str, int]
    by_queue: dict[str, int]
    by_assignee: dict[str, int]
    reopens: int
    irregular: int
    inferred: int
    late: int
    abandon_rate: float | None
    csat: float | None
    csat_responses: int
    durations: dict[str, Measure]
    poison: list[Poison]


class Day(TypedDict):
    """Transitions of one day (UTC), by where they led."""

    day: str
    began: int
    opened: int
    pending: int
    closed: int
    abandoned: int
    reopens: int


class Change(TypedDict):
    """What an event changed in one field."""

    before: Any
    after: Any


class Step(TypedDict):
    """One event of a timeline: what it was, and what it changed.

    `inferred` where a change is known only from the snapshot that the webhook shows.
    """

    organization_id: str | None
    csid: int
    position: int
    event_id: str
    event: str
    fqn: str | None
    at: Time
    received_at: Time
    late: bool
    inferred: bool
    actor: User | None
    details: dict[str, Any]
    changes: dict[str, Change]


class BanChange(TypedDict):
    """A ban, or the end of one."""

    banned: bool
    at: Time
    by: User | None
    event_id: str
    received_at: Time
    late: bool


class Ban(TypedDict):
    """Whether an end user or an IP address is banned, and what led there."""

    organization_id: str | None
    kind: Literal["enduser", "ip"]
    id: str
    user: User | None
    banned: bool
    since: Time | None
    by: User | None
    history: list[BanChange]
    version: int
    position: int


class EndUser(TypedDict):
    """An end user: whether they are banned, and their conversations counted by status."""

    organization_id: str | None
    id: str
    user: User | None
    banned: bool
    ban: Ban | None
    conversations: dict[str, int]
    first_created_at: Time | None
    last_event_at: Time | None


class Outcome(TypedDict):
    """What became of a webhook; `reason` tells why a body was quarantined."""

    outcome: Literal["appended", "duplicate", "quarantined"]
    event_id: str | None
    position: int | None
    reason: str | None


class StoredEvent(TypedDict):
    """A webhook as it came; `body` is its text, character by character, so signatures hold."""

    position: int
    version: int
    event: str
    received_at: Time
    subscription_id: str | None
    signature: str | None
    body: str
