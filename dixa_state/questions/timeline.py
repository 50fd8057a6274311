"""Every event of one conversation, with what it changed."""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from msgspec import to_builtins
from pydantic import Field

from dixa_state.domain import conversation as domain
from dixa_state.domain.events import Event, Unrecognised
from dixa_state.fold import Step
from dixa_state.questions.conversation import Queue, Rating, Sla, User, described
from dixa_state.questions.paging import Keyed, WholeQuestion
from dixa_state.questions.question import Answer, Csid, OfConversation, Page, Time
from dixa_state.questions.reader import Reader


class Change(Answer):
    """The change of one field by an event."""

    before: Any = Field(description="The value before.")
    after: Any = Field(description="The value after.")


class TimelineStep(OfConversation):
    """One event of a conversation: what it was, and what it changed."""

    position: int = Field(description="The event's store position.")
    event_id: str = Field(description="The webhook's id.")
    event: str = Field(description="The event, for example conversation.closed.")
    fqn: str | None = Field(description="Dixa's name of an event that is not in the catalogue.")
    at: Time = Field(description="When it happened.")
    received_at: Time = Field(description="When its webhook was received.")
    late: bool = Field(description="Its webhook was received after later ones.")
    inferred: bool = Field(description="A change is known from the webhook's snapshot only.")
    actor: User | None = Field(description="Who did it, where Dixa says so.")
    details: dict[str, Any] = Field(description="What the event says, by field.")
    changes: dict[str, Change] = Field(description="The fields that changed.")


class Timeline(WholeQuestion[TimelineStep]):
    """List every event of one conversation, in event-time order, with what it changed."""

    csid: Csid

    def answer(self, reader: Reader) -> Page[TimelineStep]:
        """Return a page of the timeline."""
        return self.slice(reader)

    def keyed(self, reader: Reader, position: int) -> Iterable[Keyed[TimelineStep]]:
        """Return every step, numbered."""
        steps = reader.tracker.timeline(self.csid, organization=self.organization, up_to=position)
        return (((number,), describe_step(step)) for number, step in enumerate(steps))


def describe_step(step: Step) -> TimelineStep:
    """Return one event of a timeline as JSON has it."""
    event = step.event
    return TimelineStep(
        organization_id=step.after.organization_id,
        csid=step.after.csid,
        position=event.position,
        event_id=event.event_id,
        event=event.topic,
        fqn=event.fact.fqn if isinstance(event.fact, Unrecognised) else None,
        at=event.at,
        received_at=event.received_at,
        late=event.late,
        inferred=_infers(step),
        actor=event.actor,
        details=_details(event),
        changes=changes(step.before, step.after),
    )


def changes(before: domain.Conversation, after: domain.Conversation) -> dict[str, Change]:
    """Return the differences between two states, in the fields that a person follows."""
    old, new = _followed(before), _followed(after)
    return {
        name: Change(before=old[name], after=new[name]) for name in new if old[name] != new[name]
    }


def _infers(step: Step) -> bool:
    """Return whether something changed that no webhook reported, only the snapshot in this one."""
    before, after, event_id = step.before, step.after, step.event.event_id
    transitions = after.life.transitions[len(before.life.transitions) :]
    tags = after.tag_history[len(before.tag_history) :]
    assignments = after.assignments[len(before.assignments) :]
    losses = takewhile(lambda loss: loss.event_id == event_id, reversed(after.losses))
    return (
        any(transition.inferred for transition in transitions)
        or any(change.inferred for change in tags)
        or any(assignment.how == "inferred" for assignment in assignments)
        or any(loss.proof == "inferred" for loss in losses)
    )


def _details(event: Event) -> dict[str, Any]:
    fields = to_builtins(event.fact)
    return {name: value for name, value in fields.items() if value is not None}


def _followed(state: domain.Conversation) -> dict[str, Any]:
    return {
        "status": state.life.status,
        "dixa_status": state.dixa_status,
        "requester": described(User, state.requester),
        "assignee": described(User, state.assignee),
        "queue": described(Queue, state.queue),
        "subject": state.subject,
        "tags": sorted(state.tags),
        "custom_attributes": state.custom_attributes,
        "sla": [Sla.model_validate(evaluation) for evaluation in state.sla],
        "ratings": [Rating.model_validate(rating) for rating in state.ratings],
    }
