"""One conversation: its state, now or at a moment, as the JSON that programs rely on."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from msgspec.structs import asdict
from pydantic import Field

from dixa_state.dixa.streams import conversation_stream
from dixa_state.domain import conversation as domain
from dixa_state.domain import sla
from dixa_state.domain.events import SlaStatus
from dixa_state.domain.lifecycle import Status
from dixa_state.domain.metrics import (
    UpperBounds,
    durations,
    first_response,
    starts_midlife,
    upper_bounds,
)
from dixa_state.domain.states import decode_conversation
from dixa_state.questions.question import (
    Answer,
    AsOf,
    Csid,
    KnownAt,
    OfConversation,
    Question,
    Time,
    require_past,
)
from dixa_state.questions.reader import Reader

A = TypeVar("A", bound=Answer)

SlaSummary = Literal["pending", "breached", "achieved", "voided", "none"]


class User(Answer):
    """A person as Dixa shows them: an end user, an agent, or a bot."""

    id: str | None = Field(description="Dixa's id.")
    name: str | None = Field(description="The name that Dixa displays.")
    email: str | None = Field(description="The email address.")
    phone: str | None = Field(description="The phone number.")
    user_type: str | None = Field(description="`Contact` for end users, `Member` for agents.")


class Queue(Answer):
    """A queue."""

    id: str | None = Field(description="Dixa's id.")
    name: str | None = Field(description="The queue's name.")


class Sla(Answer):
    """An SLA evaluation of a conversation."""

    id: str | None = Field(description="Dixa's id of the evaluation, where it sends one.")
    policy: str | None = Field(description="The SLA policy.")
    metric: str | None = Field(description="What is measured, for example FirstResponse.")
    status: SlaStatus = Field(description="The status of the evaluation.")
    deadline: Time | None = Field(description="When the evaluation is breached.")
    since: Time = Field(description="Since when it has this status.")
    breached_late_at: Time | None = Field(description="When an outcome followed its breach.")


class Rating(Answer):
    """A rating, with the comment that may have followed it."""

    type: str | None = Field(description="Csat, Nps or ThumbsUpOrDown.")
    score: int | float | None = Field(description="The score.")
    comment: str | None = Field(description="The end user's comment.")
    agent: User | None = Field(description="The agent who was rated.")
    rated_at: Time = Field(description="When it was rated.")


class Counts(Answer):
    """Counts over the events of a conversation."""

    events: int = Field(description="Events in the stream.")
    messages_inbound: int = Field(description="Messages of end users.")
    messages_outbound: int = Field(description="Messages to end users.")
    notes: int = Field(description="Internal notes.")
    transfers: int = Field(description="Transfers to an agent or a queue.")
    reopens: int = Field(description="Times it was opened again after its end.")
    assignments: int = Field(description="Intervals with an agent.")
    irregular: int = Field(description="Transitions that the lifecycle does not foresee.")
    inferred: int = Field(description="Transitions that no event reported.")
    missed: int = Field(description="Lost webhooks that are proved.")
    late: int = Field(description="Events received after later ones.")
    typing: int = Field(description="Times an agent began to type.")
    deliveries_failed: int = Field(description="Messages that could not be delivered.")


class Times(Answer):
    """When things happened to a conversation for the first or the last time."""

    first_response_at: Time | None = Field(description="First answer of an agent to a customer.")
    first_assigned_at: Time | None = Field(description="First assignment to an agent.")
    first_closed_at: Time | None = Field(description="First close.")
    last_closed_at: Time | None = Field(description="Last close, though it may be open again.")
    last_message_at: Time | None = Field(description="Last message of anybody.")
    last_customer_message_at: Time | None = Field(description="Last message of an end user.")
    last_event_at: Time | None = Field(description="Newest event.")
    next_deadline: Time | None = Field(description="The next deadline of its SLA evaluations.")
    upper_bounds: list[str] = Field(description="Times that may have been earlier.")


class Durations(Answer):
    """How long things took, in seconds; what still runs is counted to `as_of`, or to now."""

    first_response: float | None = Field(
        description="First customer message, or creation where that is not known, "
        "to the first answer of a human agent."
    )
    next_responses: list[float] = Field(description="The same for each later gap.")
    first_resolution: float | None = Field(description="Creation to the first close.")
    full_resolution: float | None = Field(description="Creation to the last close.")
    open: float | None = Field(description="Time in status open.")
    pending: float | None = Field(description="Time in status pending.")
    closed: float | None = Field(description="Time in status closed.")
    abandoned: float | None = Field(description="Time in status abandoned.")
    queue_wait: float | None = Field(description="Time in queues until an agent took it.")
    assigned: float | None = Field(description="Time with an agent, until its end.")
    upper_bounds: list[str] = Field(description="Durations that rest on such a time.")


class Conversation(OfConversation):
    """The state of one conversation."""

    status: Status | None = Field(description="The status; null if no event reported one.")
    status_since: Time | None = Field(description="Since when it has this status.")
    dixa_status: str | None = Field(description="The status as Dixa's newest snapshot spells it.")
    channel: str | None = Field(description="Such as EMAIL or WIDGET_CHAT.")
    direction: str | None = Field(description="INBOUND or OUTBOUND.")
    subject: str | None = Field(description="The subject.")
    contact_point: str | None = Field(description="The address or number that was contacted.")
    created_at: Time | None = Field(description="When it was created.")
    requester: User | None = Field(description="The end user.")
    assignee: User | None = Field(description="The agent who has it now.")
    assigned_at: Time | None = Field(description="Since when that agent has had it.")
    queue: Queue | None = Field(description="The queue that it is in or was taken from.")
    enqueued_at: Time | None = Field(description="When it entered that queue.")
    waiting_since: Time | None = Field(description="Since when it waits there for an agent.")
    tags: list[str] = Field(description="The names of its tags, sorted.")
    custom_attributes: dict[str, Any] = Field(description="Values by identifier.")
    sla_status: SlaSummary = Field(description="The worst status of its SLA evaluations.")
    sla: list[Sla] = Field(description="Its SLA evaluations.")
    ratings: list[Rating] = Field(description="Its ratings.")
    counts: Counts = Field(description="What has been counted.")
    times: Times = Field(description="First and last times.")
    durations: Durations = Field(description="Durations in seconds.")
    starts_midlife: bool = Field(description="It had a life before the events that we have.")
    version: int = Field(description="Events in its stream that were folded.")
    position: int = Field(description="The store position of the newest of them.")
    as_of: Time | None = Field(description="The moment that was asked for, in event time.")
    known_at: Time | None = Field(description="The moment that was asked for, in receipt time.")


class OneConversation(Question[Conversation]):
    """Return the state of one conversation, now or at a moment."""

    csid: Csid
    as_of: AsOf = None
    known_at: KnownAt = None

    def answer(self, reader: Reader) -> Conversation:
        """Return the state."""
        now = reader.now()
        require_past(now, as_of=self.as_of, known_at=self.known_at)
        return describe(self.state(reader), now=now, as_of=self.as_of, known_at=self.known_at)

    def state(self, reader: Reader) -> domain.Conversation:
        """Return its row in the views, if these have all its events, or else fold its stream."""
        if self.as_of is None and self.known_at is None:
            found = reader.views.complete_states(self.csid, reader.tracker.grace)
            if self.organization is not None:
                state = found.get(conversation_stream(self.organization, self.csid))
            else:
                state = next(iter(found.values())) if len(found) == 1 else None
            if state is not None:
                return decode_conversation(state)
        return reader.tracker.conversation(
            self.csid, organization=self.organization, as_of=self.as_of, known_at=self.known_at
        )


def describe(
    state: domain.Conversation,
    *,
    now: datetime,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Conversation:
    """Return a state as JSON has it; intervals that still run are counted to `as_of` or `now`."""
    assignment = state.assignments[-1] if state.assignments and state.assignee else None
    bounds, visit = upper_bounds(state), state.visit
    parts = {name: getattr(state, name) for name in _OF_STATE} | {
        "status_since": state.life.since,
        "assigned_at": assignment.since if assignment else None,
        "enqueued_at": visit.enqueued_at if visit else None,
        "tags": sorted(state.tags),
        "custom_attributes": dict(sorted(state.custom_attributes.items())),
        "sla_status": sla.summarise(state.sla),
        "counts": _counts(state),
        "times": _times(state, bounds),
        "durations": _durations(state, as_of or now, bounds),
        "starts_midlife": starts_midlife(state),
        "as_of": as_of,
        "known_at": known_at,
    }
    return Conversation.model_validate(parts)  # one validation of all, not one for each part


_OF_STATE = [name for name in Conversation.model_fields if hasattr(domain.Conversation, name)]
"""Fields of the answer that a state has under the same name."""


def described(kind: type[A], part: object) -> A | None:
    """Return a part of a state as JSON has it; None where there is none."""
    return None if part is None else kind.model_validate(part)


def _counts(state: domain.Conversation) -> dict[str, Any]:
    summary = state.life.summary
    return {
        "events": state.version,
        "messages_inbound": state.messages.inbound,
        "messages_outbound": state.messages.outbound,
        "notes": state.notes,
        "transfers": state.transfers,
        "reopens": summary.reopens,
        "assignments": len(state.assignments),
        "irregular": summary.irregular,
        "inferred": summary.inferred,
        "missed": len(domain.missed(state)),
        "late": state.late,
        "typing": state.typing,
        "deliveries_failed": state.deliveries_failed,
    }


def _times(state: domain.Conversation, bounds: UpperBounds) -> dict[str, Any]:
    response, summary = first_response(state), state.life.summary
    return {
        "first_response_at": response.answered_at if response else None,
        "first_assigned_at": state.assignments[0].since if state.assignments else None,
        "first_closed_at": summary.first_closed_at,
        "last_closed_at": summary.last_closed_at,
        "last_message_at": state.messages.last_at,
        "last_customer_message_at": state.messages.last_customer_at,
        "last_event_at": state.last_event_at,
        "next_deadline": state.next_deadline,
        "upper_bounds": sorted(bounds.times),
    }


def _durations(state: domain.Conversation, at: datetime, bounds: UpperBounds) -> dict[str, Any]:
    measured = asdict(durations(state, at))
    in_status = measured.pop("in_status")
    return {**measured, **in_status, "upper_bounds": sorted(bounds.durations)}
