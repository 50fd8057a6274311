"""Lost webhooks: everything that proves that one was, with its evidence and its window."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from dixa_state.domain.events import Field as LostField
from dixa_state.domain.losses import Proof
from dixa_state.questions.conditions import Condition
from dixa_state.questions.filters import between, of_conversation, one_of
from dixa_state.questions.paging import Listing
from dixa_state.questions.question import (
    MAX_VALUES,
    Csid,
    Moment,
    OfConversation,
    Page,
    PagedQuestion,
    Time,
)
from dixa_state.questions.reader import Reader
from dixa_state.views.tables import from_micros

_Micros = Annotated[Time, BeforeValidator(from_micros)]


class Loss(OfConversation):
    """A webhook that must have been lost, and the event that proves it."""

    field: LostField = Field(description="What the lost webhook was about.")
    tag: str | None = Field(
        validation_alias="detail", description="Which tag, where it was about tags."
    )
    after: _Micros | None = Field(description="The last report on the field: lost after it.")
    before: _Micros | None = Field(
        validation_alias="at", description="The time of the evidence: lost before it."
    )
    proof: Proof = Field(
        description="`inferred`: the evidence shows a change that no webhook reported; `repeat`: "
        "it reports a status that the conversation already had; `unexpected`: one that cannot "
        "follow from what was known."
    )
    event_id: str = Field(description="The id of the webhook that is the evidence.")
    event: str = Field(
        validation_alias="topic", description="Its event, for example conversation.closed."
    )


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
        return listing.page(reader, self).mapped(lambda item: Loss.model_validate(item.row))
