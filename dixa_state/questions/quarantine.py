"""What became of webhooks: the outcome of one, and those that could not become events."""

from typing import Literal

from pydantic import Field

from dixa_state.questions.question import Answer, Time
from dixa_state.store.append import Outcome
from dixa_state.store.quarantine import Quarantined


class WebhookOutcome(Answer):
    """The outcome of a webhook; it is on disk, whichever it is."""

    outcome: Literal["appended", "duplicate", "quarantined"] = Field(
        description="A new event, one that is stored already, or set aside in quarantine."
    )
    event_id: str | None = Field(description="The webhook's id.")
    position: int | None = Field(description="The event's store position.")
    reason: str | None = Field(description="Why the body is in quarantine.")


class QuarantinedWebhook(Answer):
    """A body that could not become an event."""

    id: int = Field(description="Its number in quarantine.")
    received_at: Time = Field(description="When it was received.")
    problem: str = Field(description="What is wrong, as a stable word.")
    reason: str = Field(description="What was expected, and what came.")
    event_id: str | None = Field(description="The webhook's id, where it has one.")
    bytes: int = Field(description="The size of the body.")
    resolution: str | None = Field(description="How it ended: appended, duplicate or discarded.")
    resolved_at: Time | None = Field(description="When it ended.")


class QuarantinedBody(QuarantinedWebhook):
    """A body that could not become an event, with all that is known of it."""

    subscription_id: str | None = Field(description="The header X-Dixa-Subscription-Id.")
    signature: str | None = Field(description="The header X-Dixa-Signature.")
    body: str = Field(description="The body; bytes that are no UTF-8 are spelled out.")


def describe_outcome(outcome: Outcome) -> WebhookOutcome:
    """Return what became of a webhook as JSON has it."""
    return WebhookOutcome(
        outcome=outcome.kind,
        event_id=outcome.event_id,
        position=outcome.position,
        reason=outcome.reason,
    )


def describe_quarantined(item: Quarantined) -> QuarantinedWebhook:
    """Return a body in quarantine as lists have it."""
    return QuarantinedWebhook(
        id=item.id,
        received_at=item.webhook.received_at,
        problem=item.problem,
        reason=item.reason,
        event_id=item.event_id,
        bytes=len(item.webhook.body),
        resolution=item.resolution,
        resolved_at=item.resolved_at,
    )


def describe_body(item: Quarantined) -> QuarantinedBody:
    """Return a body in quarantine with all that is known of it."""
    return QuarantinedBody(
        **dict(describe_quarantined(item)),
        subscription_id=item.webhook.subscription_id,
        signature=item.webhook.signature,
        body=item.webhook.body.decode("utf-8", "backslashreplace"),
    )
