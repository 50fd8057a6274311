"""Lost webhooks: everything that proves that one was, with its evidence and its window."""

from typing import Annotated

from pydantic import Field

from dixa_state.domain.events import Field as LostField
from dixa_state.domain.losses import Proof
from dixa_state.questions.conditions import Condition
from dixa_state.questions.filters import between, of_conversation, one_of
from dixa_state.questions.paging import Item, Listing
from dixa_state.questions.question import (
    MAX_VALUES,
    Answer,
    Csid,
    Moment,
    Page,
    PagedQuestion,
    Time,
)
from dixa_state.questions.reader import Reader
from dixa_state.views.tables import from_micros


class Loss(Answer):
    """A webhook that must have been lost, and the event that proves it."""

    organization_id: str | None = Field(description="The organization's id at Dixa.")
    csid: int = Field(description="The number of the conversation.")
    field: LostField = Field(description="What the lost webhook was about.")
    tag: str | None = Field(description="Which tag, where it was about tags.")
    after: Time | None = Field(description="The last report on the field: lost after it.")
    before: Time | None = Field(description="The time of the evidence: lost before it.")
    proof: Proof = Field(
        description="`inferred`: the evidence shows a change that no webhook reported; `repeat`: "
        "it reports a status that the conversation already had; `unexpected`: one that cannot "
        "follow from what was known."
    )
    event_id: str = Field(description="The id of the webhook that is the evidence.")
    event: str = Field(description="Its event, for example conversation.closed.")


class Missed(PagedQuestion[Loss]):
    """List everything that proves a lost webhook, by conversation, with its evidence and window.

    What was never reported of a conversation may lie before its history here, and proves nothing.
    """

    field: Annotated[
        tuple[LostField, ...],
        Field(max_length=MAX_VALUES, description="What the lost webhook was about."),
    ] = ()
    proof: Annotated[
        tuple[Proof, ...], Field(max_length=MAX_VALUES, description="What proves the loss.")
    ] = ()
    since: Moment | None = Field(None, description="Only with evidence at or after this time.")
    until: Moment | None = Field(None, description="Only with evidence before this time.")
    csid: Csid | None = Field(None, description="Only of the conversation of this number.")

    def conditions(self) -> list[Condition]:
        """Return the conditions on the table of losses."""
        return [
            *of_conversation(self.organization, self.csid),
            *one_of(("field",), self.field),
            *one_of(("proof",), self.proof),
            *between("since", "at", self.since, self.until),
        ]

    def answer(self, reader: Reader) -> Page[Loss]:
        """Return a page of the list."""
        listing = Listing("missed", ("csid", "stream", "at", "number"), self.conditions())
        return listing.page(reader, self).mapped(_loss)


def _loss(item: Item) -> Loss:
    row = item.row
    return Loss(
        organization_id=row.organization_id,
        csid=row.csid,
        field=row.field,
        tag=row.detail,
        after=from_micros(row.after),
        before=from_micros(row.at),
        proof=row.proof,
        event_id=row.event_id,
        event=row.topic,
    )
