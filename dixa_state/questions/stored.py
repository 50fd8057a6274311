"""Stored webhooks as they came, each with the verdict on its signature."""

from collections.abc import Iterable

from pydantic import Field
from pydantic_core import from_json

from dixa_state.dixa.body import identify
from dixa_state.dixa.signature import Verdict
from dixa_state.domain.timestamps import parse_time
from dixa_state.errors import NotFoundError
from dixa_state.questions.paging import Keyed, WholeQuestion
from dixa_state.questions.question import Answer, Csid, Page, Position, Question, Time
from dixa_state.questions.reader import Reader
from dixa_state.tracker import ConversationTracker, StoredBody


class StoredEvent(Answer):
    """A webhook as it came."""

    position: int = Field(description="The event's store position.")
    stream: str = Field(description="The stream that it is in.")
    version: int = Field(description="Its place in that stream, from 1.")
    organization_id: str | None = Field(description="The organization's id at Dixa.")
    event_id: str = Field(description="The webhook's id.")
    event: str = Field(description="The event, for example conversation.closed.")
    at: Time = Field(description="When it happened.")
    received_at: Time = Field(description="When it was received.")
    subscription_id: str | None = Field(description="The header X-Dixa-Subscription-Id.")
    signature: str | None = Field(description="The header X-Dixa-Signature.")
    verdict: Verdict = Field(
        description="Whether one of the configured secrets signs the body: `valid`; `unsigned` (it "
        "came from a file), `unchecked` (no secret is set), or what is wrong."
    )
    body: str = Field(description="Its text, character by character, so that the signature holds.")


class StoredEvents(WholeQuestion[StoredEvent]):
    """List the stored webhooks of one conversation as they came, in order of arrival."""

    csid: Csid

    def answer(self, reader: Reader) -> Page[StoredEvent]:
        """Return a page of the webhooks."""
        return self.slice(reader)

    def keyed(self, reader: Reader, position: int) -> Iterable[Keyed[StoredEvent]]:
        """Return every webhook, by its version."""
        tracker = reader.tracker
        found = tracker.webhooks(self.csid, organization=self.organization, up_to=position)
        return (((stored.version,), describe_stored(tracker, stored)) for stored in found)


class OneStoredEvent(Question[StoredEvent]):
    """Read one stored webhook by its position in the store."""

    position: Position

    def answer(self, reader: Reader) -> StoredEvent:
        """Return the webhook."""
        found = describe_stored(reader.tracker, reader.tracker.webhook_at(self.position))
        if self.organization not in (None, found.organization_id):
            raise NotFoundError(
                f"event {self.position}: expected one of organization {self.organization}, "
                f"got one of {found.organization_id}"
            )
        return found


def describe_stored(tracker: ConversationTracker, stored: StoredBody) -> StoredEvent:
    """Return a stored webhook as JSON has it."""
    webhook = stored.webhook
    identity = identify(webhook.body)
    return StoredEvent(
        position=stored.position,
        stream=stored.stream,
        version=stored.version,
        organization_id=identity.organization_id,
        event_id=identity.event_id,
        event=stored.topic,
        at=parse_time(from_json(webhook.body)["event_timestamp"]),
        received_at=webhook.received_at,
        subscription_id=webhook.subscription_id,
        signature=webhook.signature,
        verdict=tracker.judge_signature(webhook, identity.organization_id),
        body=webhook.body.decode(),
    )
