"""What could not become an event, and its row, alike on every database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.store.append import Rejected, digest, storable
from dixa_state.store.events import Webhook

Resolution = Literal["appended", "duplicate", "discarded"]


class Quarantined(Struct, frozen=True):
    """A body that could not become an event; `resolution` is set once it is settled."""

    id: int
    webhook: Webhook
    problem: str
    reason: str
    event_id: str | None
    resolution: str | None
    resolved_at: datetime | None


def to_row(rejected: Rejected) -> dict[str, Any]:
    """Return the columns of a body to quarantine, in text that every database takes."""
    webhook = rejected.webhook
    return {
        "received_at": format_time(webhook.received_at),
        "problem": rejected.problem,
        "reason": storable(rejected.reason),
        "event_id": storable(rejected.event_id),
        "subscription_id": webhook.subscription_id,
        "signature": webhook.signature,
        "body": webhook.body,
        "digest": digest(webhook.body),
    }


def from_row(row: Sequence[Any]) -> Quarantined:
    """Read a row of the statement `quarantined`."""
    number, received_at, problem, reason, event_id, subscription, signature, body, *end = row
    resolution, resolved_at = end
    return Quarantined(
        id=number,
        webhook=Webhook(bytes(body), parse_time(received_at), subscription, signature),
        problem=problem,
        reason=reason,
        event_id=event_id,
        resolution=resolution,
        resolved_at=resolved_at and parse_time(resolved_at),
    )
