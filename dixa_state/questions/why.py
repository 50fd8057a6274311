"""Why a field has its value: the event behind it, by both clocks, and what it replaced."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import Field

from dixa_state.dixa.signature import Verdict
from dixa_state.domain import conversation as domain
from dixa_state.domain.conversation import initial
from dixa_state.domain.events import Event
from dixa_state.errors import InvalidInputError
from dixa_state.fold import Step, without_snapshot
from dixa_state.questions.conversation import (
    Conversation,
    Queue,
    User,
    describe,
    described,
)
from dixa_state.questions.question import (
    Answer,
    AsOf,
    Csid,
    KnownAt,
    OfConversation,
    Question,
    Text,
    Time,
    require_past,
)
from dixa_state.questions.reader import Reader

Evidence = Literal["event", "snapshot"]

_OTHERS = {"organization_id", "csid", "durations", "version", "position", "as_of", "known_at"}
"""Fields that no event changes, or every one."""

FIELDS = tuple(name for name in Conversation.model_fields if name not in _OTHERS)


_OF_ANY_NAME = ("custom_attributes", "tags")
"""Fields whose parts are what they contain."""


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a field that has the same ones in every conversation."""
    annotation = Conversation.model_fields[name].annotation
    kinds = get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)
    return tuple(
        part
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, Answer)
        for part in kind.model_fields
    )


class Cause(OfConversation):
    """The event behind the value of a field; null where no event reported the field."""

    field: str = Field(description="The field.")
    value: Any = Field(description="Its value.")
    before: Any = Field(description="The value that this one replaced.")
    evidence: Evidence | None = Field(
        description="`event`: the event says so; `snapshot`: the conversation in its body shows it."
    )
    event: str | None = Field(description="The event, for example conversation.closed.")
    event_id: str | None = Field(description="The webhook's id.")
    position: int | None = Field(description="The event's store position.")
    at: Time | None = Field(description="When it happened, by Dixa's clock: it decides the order.")
    received_at: Time | None = Field(description="When its webhook was received, by our clock.")
    late: bool | None = Field(description="Its webhook was received after later ones.")
    actor: User | None = Field(
        description="Who did it, where Dixa says so; null for a snapshot, which only shows it."
    )
    subscription_id: str | None = Field(description="The header X-Dixa-Subscription-Id.")
    signature: str | None = Field(description="The header X-Dixa-Signature.")
    verdict: Verdict | None = Field(description="Whether a configured secret signs the webhook.")
    as_of: Time | None = Field(description="The moment that was asked for, in event time.")
    known_at: Time | None = Field(description="The moment that was asked for, in receipt time.")


_CHEAP: dict[str, Callable[[domain.Conversation], Any]] = {
    "status": lambda state: state.life.status,
    **{
        name: attrgetter(name)
        for name in ("dixa_status", "channel", "direction", "subject", "contact_point")
    },
    "requester": lambda state: described(User, state.requester),
    "assignee": lambda state: described(User, state.assignee),
    "queue": lambda state: described(Queue, state.queue),
    "tags": lambda state: sorted(state.tags),
    "custom_attributes": lambda state: dict(sorted(state.custom_attributes.items())),
}
"""Fields that are found without the whole answer, which walks through the history: asked after each
of 3,000 events, that took 16 s.
"""


def field_value(state: domain.Conversation, name: str, now: datetime) -> Any:
    """Return a field of the answer about a conversation, as JSON has it."""
    if name in _CHEAP:
        found = _CHEAP[name](state)
        return found.model_dump(mode="json") if isinstance(found, Answer) else found
    return describe(state, now=now).model_dump(mode="json", include={name})[name]


class _Found(NamedTuple):
    """An event that changed a field, and the value before."""

    event: Event
    before: Any
    evidence: Evidence


class Why(Question[Cause]):
    """Find the event behind the value of a conversation's field, and what it replaced."""

    csid: Csid
    field: Text = Field(
        description="A field of the conversation, or a part of one: `status`, `assignee`, "
        "`times.first_closed_at`, `custom_attributes.NAME`, `tags.NAME`.",
        examples=["status"],
    )
    as_of: AsOf = None
    known_at: KnownAt = None

    def answer(self, reader: Reader) -> Cause:
        """Return the event, folded by what is known of the moment."""
        now, tracker = reader.now(), reader.tracker
        require_past(now, as_of=self.as_of, known_at=self.known_at)
        self._require_field()
        state = tracker.conversation(
            self.csid, organization=self.organization, as_of=self.as_of, known_at=self.known_at
        )
        steps = tracker.timeline(
            self.csid,
            organization=self.organization,
            as_of=self.as_of,
            known_at=self.known_at,
            up_to=state.position,
        )
        found = self._find(steps, tracker.grace, now)
        event, stored = found and found.event, found and tracker.webhook_at(found.event.position)
        return Cause(
            organization_id=state.organization_id,
            csid=state.csid,
            field=self.field,
            value=self._value(state, now),
            before=found and found.before,
            evidence=found and found.evidence,
            event=event and event.topic,
            event_id=event and event.event_id,
            position=event and event.position,
            at=event and event.at,
            received_at=event and event.received_at,
            late=event and event.late,
            actor=event.actor if event and found and found.evidence == "event" else None,
            subscription_id=stored and stored.webhook.subscription_id,
            signature=stored and stored.webhook.signature,
            verdict=stored and tracker.judge_signature(stored.webhook, state.organization_id),
            as_of=self.as_of,
            known_at=self.known_at,
        )

    def _require_field(self) -> None:
        root, dot, part = self.field.partition(".")
        if root not in FIELDS:
            raise InvalidInputError(
                f"field: expected one of {', '.join(FIELDS)}, got {self.field!r}"
            )
        if dot and root not in _OF_ANY_NAME and part not in (parts := _parts(root)):
            known = ", ".join(f"{root}.{one}" for one in parts)
            expected = f"one of {known}" if known else f"{root}, which has no parts"
            raise InvalidInputError(f"field: expected {expected}, got {self.field!r}")

    def _find(self, steps: Iterable[Step], grace: timedelta, now: datetime) -> _Found | None:
        """Return the last event, in event time, after which the field had another value.

        An event about the field that follows a snapshot within the grace is the better witness of
        the same value: one action at Dixa sends several webhooks.
        """
        found: _Found | None = None
        value = self._value(initial(None, self.csid), now)
        for step in steps:
            before, value = value, self._value(step.after, now)
            if value != before:
                shown = self._value(without_snapshot(step, grace), now) != value
                found = _Found(step.event, before, "snapshot" if shown else "event")
            elif found and found.evidence == "snapshot" and self._confirms(step, found, grace):
                found = found._replace(event=step.event, evidence="event")
        return found

    def _confirms(self, step: Step, found: _Found, grace: timedelta) -> bool:
        return self.field in step.event.fact.about and step.event.at - found.event.at <= grace

    def _value(self, state: domain.Conversation, now: datetime) -> Any:
        """Return the value in the answer about the conversation, as JSON has it."""
        root, _, part = self.field.partition(".")
        value = field_value(state, root, now)
        if not part or value is None:
            return value
        return value.get(part) if isinstance(value, dict) else part in value
