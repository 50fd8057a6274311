"""Losses: the webhooks that must have been lost, and what proves each of them."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from dixa_state.domain.events import Event, Field

Proof = Literal["inferred", "repeat", "unexpected"]


class Loss(Struct, gc=False, frozen=True):
    """A webhook about `field` that was lost in the window [`after`, `at`], and its evidence.

    The evidence is the event named here. Its snapshot contains a change that no event reported
    (`inferred`), or it reports a status that the conversation already had (`repeat`), or one that
    cannot follow from what was known (`unexpected`). `after` is the last report on the field.
    `detail` is the tag, where the field is tags.
    """

    proof: Proof
    field: Field
    event_id: str
    topic: str
    at: datetime
    after: datetime
    detail: str | None = None


def prove_loss(
    event: Event, proof: Proof, field: Field, after: datetime | None, detail: str | None = None
) -> tuple[Loss, ...]:
    """Return the loss that an event proves; none where nothing was known of the field before.

    What was never reported may lie before the history that we have, so it proves nothing.
    """
    if after is None:
        return ()
    evidence = (event.event_id, event.topic, event.at)
    return (Loss(proof, field, *evidence, after, detail),)


def without_inferred(
    losses: tuple[Loss, ...],
    at: datetime,
    field: Field,
    grace: timedelta,
    detail: str | None = None,
) -> tuple[Loss, ...]:
    """Remove the loss that was inferred within the grace before the event that explains it."""
    for index in range(len(losses) - 1, -1, -1):
        loss = losses[index]
        if at - loss.at > grace:
            break
        if (loss.proof, loss.field, loss.detail) == ("inferred", field, detail):
            return losses[:index] + losses[index + 1 :]
    return losses
