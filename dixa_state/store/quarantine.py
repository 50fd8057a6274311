"""The rows of the quarantine, alike on every database."""

from collections.abc import Sequence
from typing import Any

from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.store.append import Quarantined, Refusal, digest, storable
from dixa_state.store.events import Delivery


def to_row(refusal: Refusal) -> dict[str, Any]:
    """Give the columns of a body to be set aside, in text that every database takes."""
    delivery = refusal.delivery
    return {
        "received_at": format_time(delivery.received_at),
        "problem": refusal.problem,
        "reason": storable(refusal.reason),
        "event_id": storable(refusal.event_id),
        "subscription_id": delivery.subscription_id,
        "signature": delivery.signature,
        "body": delivery.body,
        "digest": digest(delivery.body),
    }


def from_row(row: Sequence[Any]) -> Quarantined:
    """Read a row of the statement `quarantined`."""
    number, received_at, problem, reason, event_id, subscription, signature, body, *end = row
    resolution, resolved_at = end
    return Quarantined(
        id=number,
        delivery=Delivery(bytes(body), parse_time(received_at), subscription, signature),
        problem=problem,
        reason=reason,
        event_id=event_id,
        resolution=resolution,
        resolved_at=resolved_at and parse_time(resolved_at),
    )
