"""A webhook's body: which event it is, or why it is none, and what it says.

`identify` judges a body at the door; `read_event` reads one that was accepted, whenever it is
folded. Only the envelope can fail: a payload that drifted must not cost us the event.
"""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder
from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic_core import from_json

from dixa_state.dixa.catalog import TYPES, UNKNOWN, UNRECOGNISED, EventType, lookup
from dixa_state.dixa.conversation import Named, decode_snapshot, snapshot_from
from dixa_state.dixa.data import EventData
from dixa_state.dixa.fields import Fields, scalar_from
from dixa_state.dixa.streams import (
    ban_stream,
    conversation_stream,
    organization_stream,
    read_csid,
)
from dixa_state.domain import bans
from dixa_state.domain.events import HIDDEN, Event, Snapshot
from dixa_state.domain.timestamps import parse_time, shorten
from dixa_state.errors import InvalidInputError

D = TypeVar("D", bound=EventData)

Problem = Literal[
    "not_json", "not_an_object", "no_event_id", "no_event_fqn", "no_timestamp", "no_csid"
]
_PROBLEMS: dict[str, Problem] = {
    "event_id": "no_event_id",
    "event_fqn": "no_event_fqn",
    "event_timestamp": "no_timestamp",
}


class UnreadableError(InvalidInputError):
    """A body cannot become an event; `problem` is a stable word for why."""

    def __init__(self, problem: Problem, message: str, event_id: str | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.event_id = event_id


class Identity(NamedTuple):
    """The identity of a body that can become an event: what the store must know of it."""

    organization_id: str | None
    event_id: str
    topic: str
    stream: str


Name = Annotated[str, StringConstraints(min_length=1, strict=True)]


class Envelope(BaseModel):
    """The parts that a body must have; the rest may be missing or of any type."""

    event_id: Name
    event_fqn: Name
    event_timestamp: Name
    organization: Any = None
    data: Any = None


def identify(body: bytes) -> Identity:
    """Return which event a body is, and into which stream it goes.

    Raises `UnreadableError` if it is not strict JSON (NaN and lone surrogates are none), not an
    object, or lacks an event id, an fqn, a usable time or, for a conversation event, a csid.
    """
    envelope = _validate(_parse(body))
    event_type = lookup(envelope.event_fqn) or UNKNOWN
    organization_id = _organization_id(envelope.organization)
    stream = _stream(envelope, event_type, organization_id)
    return Identity(organization_id, envelope.event_id, event_type.topic, stream)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        came = repr(shorten(body.decode("utf-8", "replace"))) if body else "nothing"
        raise UnreadableError("not_json", f"expected JSON, got {came}: {error}") from error
    if not isinstance(document, dict):
        came = shorten(repr(document))
        raise UnreadableError("not_an_object", f"expected a JSON object, got {came}")
    return document


def _validate(document: dict[str, Any]) -> Envelope:
    event_id = document.get("event_id")
    known_id = event_id if isinstance(event_id, str) and event_id else None
    try:
        envelope = Envelope.model_validate(document)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        came = "nothing" if document.get(name) is None else shorten(repr(document[name]))
        message = f"{name}: expected a text that is not empty, got {came}"
        raise UnreadableError(_PROBLEMS[name], message, known_id) from error
    try:
        parse_time(envelope.event_timestamp)
    except InvalidInputError as error:
        raise UnreadableError("no_timestamp", f"event_timestamp: {error}", known_id) from error
    return envelope


def _stream(envelope: Envelope, event_type: EventType, organization_id: str | None) -> str:
    """Return the stream of the subject, or the organization's where none is named."""
    fields = Fields(envelope.data)
    if event_type.subject in ("conversation", "unknown"):
        try:
            return conversation_stream(organization_id, read_csid(_find_csid(fields)))
        except InvalidInputError as error:
            if event_type.subject == "conversation":
                message = f"data.conversation.{error}"
                raise UnreadableError("no_csid", message, envelope.event_id) from error
    else:
        shown = snapshot_from(fields.get("conversation")) or HIDDEN
        data = event_type.data.read(envelope.data)
        if subject := bans.subject(data.fact(event_type.fact, envelope.event_fqn, shown)):
            return ban_stream(event_type.subject, organization_id, subject)
    return organization_stream(organization_id)


def _find_csid(fields: Fields) -> object:
    """Return the csid as it came: from the conversation, or from beside it."""
    shown = Fields(fields.get("conversation")).find(lambda value: value, "csid", "id")
    return fields.get("csid", fields.get("conversationid")) if shown is None else shown


def _organization_id(organization: object) -> str | None:
    return Fields(organization).find(scalar_from, "id") or None


class Body(Struct, Generic[D], gc=False, frozen=True):
    """A body, read."""

    event_id: str
    event_fqn: str
    event_timestamp: str
    data: D
    organization: Named | None = None


Reading = tuple[Body[EventData], Snapshot | None]


NOT_AS_DOCUMENTED = (MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a body raises that is spelled otherwise."""


def documented_data(topic: str) -> type[EventData] | None:
    """Return what documented `data` is decoded as; None for an event outside the catalogue."""
    known = TYPES.get(topic, UNKNOWN)
    return None if known is UNKNOWN else known.data


def read_event(
    body: bytes, *, topic: str, received_at: datetime, version: int, position: int
) -> Event:
    """Read an accepted body as the event that was stored under this topic, however it is spelled.

    A body spelled as documented is decoded by its type; any other is read tolerantly.
    """
    reading = decode(body, topic)
    if reading is None:
        document = from_json(body)
        if topic == UNRECOGNISED and (learned := lookup(document["event_fqn"])):
            topic = learned.topic  # the catalogue knows it since
        reading = read(document, TYPES.get(topic, UNKNOWN))
    return make_event(
        reading, topic=topic, received_at=received_at, version=version, position=position
    )


def make_event(
    reading: Reading, *, topic: str, received_at: datetime, version: int, position: int
) -> Event:
    """Make the event of a body that was read."""
    found, snapshot = reading
    data, make = found.data, TYPES.get(topic, UNKNOWN).fact
    return Event(
        organization_id=(found.organization and found.organization.id) or None,
        event_id=found.event_id,
        topic=topic,
        at=parse_time(found.event_timestamp),
        fact=data.fact(make, found.event_fqn, snapshot or HIDDEN),
        actor=data.actor(found.event_fqn),
        snapshot=snapshot,
        received_at=received_at,
        version=version,
        position=position,
    )


def decode(body: bytes, topic: str) -> Reading | None:
    """Decode a body that is spelled as documented; None for any other."""
    if (data := documented_data(topic)) is None:
        return None
    try:
        found = _decoder(data).decode(body)
        return found, decode_snapshot(found.data.conversation)
    except NOT_AS_DOCUMENTED:
        return None


@cache
def _decoder(data: type[EventData]) -> Decoder[Body[EventData]]:
    return Decoder(Body[data])  # type: ignore[valid-type]


def read(document: dict[str, Any], event_type: EventType) -> Reading:
    """Read the JSON of an accepted body in any spelling."""
    data = document.get("data")
    found = Body(
        event_id=document["event_id"],
        event_fqn=document["event_fqn"],
        event_timestamp=document["event_timestamp"],
        data=event_type.data.read(data),
        organization=Named(_organization_id(document.get("organization"))),
    )
    return found, snapshot_from(Fields(data).get("conversation"))
