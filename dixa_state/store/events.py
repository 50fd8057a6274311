"""A webhook as it came in, and as it is stored: one JSON object, the body in it byte for byte."""

from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Raw, Struct
from msgspec.json import Encoder
from pydantic_core import from_json

from dixa_state.domain.timestamps import format_time, parse_time

_write = Encoder().encode


class Webhook(Struct, gc=False, frozen=True):
    """A body as it came in, with what its request said of it."""

    body: bytes
    received_at: datetime
    subscription_id: str | None = None
    signature: str | None = None


class _State(Struct, gc=False, frozen=True):
    received_at: str
    subscription_id: str | None
    signature: str | None
    body: Raw


_BODY = b',"body":'


def encode_state(webhook: Webhook) -> bytes:
    """Write the state of a stored event: one JSON object, the body in it byte for byte."""
    received_at, body = format_time(webhook.received_at), Raw(webhook.body)
    return _write(_State(received_at, webhook.subscription_id, webhook.signature, body))


def decode_state(state: bytes) -> Webhook:
    """Read the state of a stored event; no string in JSON can hold the mark before the body."""
    head, _, rest = state.partition(_BODY)
    fields = from_json(head + b"}")
    received_at = parse_time(fields["received_at"])
    return Webhook(rest[:-1], received_at, fields["subscription_id"], fields["signature"])


B = TypeVar("B")


class Received(Struct, Generic[B], gc=False, frozen=True):
    """What a fold reads of a stored webhook: when it was received, and its body as a type."""

    received_at: datetime
    body: B
