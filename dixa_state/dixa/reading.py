"""From a body to an event: strict about the envelope, forgiving about everything else.

`admit` judges a body at the door; `read_event` reads one that was admitted, whenever it is folded.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from dixa_state.dixa.catalog import UNRECOGNISED, EventType, lookup
from dixa_state.dixa.decoding import Address, Body, address, decode, is_harmless
from dixa_state.dixa.facts import READERS, Told
from dixa_state.dixa.objects import Seen, seen, seen_in
from dixa_state.dixa.payloads import Data, Envelope
from dixa_state.dixa.streams import (
    ban_stream,
    conversation_stream,
    organization_stream,
    read_csid,
)
from dixa_state.domain.events import Event
from dixa_state.domain.timestamps import parse_time, shorten
from dixa_state.errors import InvalidInputError

_NO_DATA = Data()

Problem = Literal[
    "not_json", "not_an_object", "no_event_id", "no_event_fqn", "no_timestamp", "no_csid"
]


class UnreadableError(InvalidInputError):
    """A body cannot become an event; `problem` is a stable word for why."""

    def __init__(self, problem: Problem, message: str, event_id: str | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.event_id = event_id


class Admitted(NamedTuple):
    """What the store must know of a body that can become an event."""

    organization_id: str | None
    event_id: str
    topic: str
    stream: str


def admit(body: bytes) -> Admitted:
    """Judge a body: which event it is, and into which stream it goes.

    Raises `UnreadableError` if it is not strict JSON (NaN and lone surrogates are none), not an
    object, or lacks an event id, an fqn, a usable time or, for a conversation event, a csid.
    """
    plain = address(body)
    if plain is None or not is_harmless(body):
        _require_json_object(body)
    return (plain and _admit_plain(plain)) or _admit_any(body)


def _admit_plain(plain: Address) -> Admitted | None:
    """Admit a body about a conversation; None if anything is wrong with it."""
    event_type = lookup(plain.event_fqn)
    if event_type is None or event_type.subject != "conversation":
        return None
    organization_id = (plain.organization and plain.organization.id) or None
    try:
        parse_time(plain.event_timestamp)
        csid = read_csid(plain.data.conversation.csid)
    except InvalidInputError:
        return None
    stream = conversation_stream(organization_id, csid)
    return Admitted(organization_id, plain.event_id, event_type.topic, stream)


def _admit_any(body: bytes) -> Admitted:
    try:
        envelope = decode(body)
    except ValidationError as error:
        raise _missing_in_envelope(error, body) from error
    event_id = envelope.event_id
    try:
        parse_time(envelope.event_timestamp)
    except InvalidInputError as error:
        raise UnreadableError("no_timestamp", f"event_timestamp: {error}", event_id) from error
    event_type = lookup(envelope.event_fqn)
    organization_id = _organization_id(envelope)
    return Admitted(
        organization_id=organization_id,
        event_id=event_id,
        topic=event_type.topic if event_type else UNRECOGNISED,
        stream=_stream(envelope, event_type, organization_id),
    )


def read_event(
    body: bytes, *, topic: str, received_at: datetime, version: int, position: int
) -> Event:
    """Read an admitted body as the event that was stored under this topic."""
    return event_from(
        decode(body), topic=topic, received_at=received_at, version=version, position=position
    )


def event_from(
    envelope: Envelope | Body, *, topic: str, received_at: datetime, version: int, position: int
) -> Event:
    """Take the event from a decoded body."""
    shown, told = _contents(envelope)
    if topic == UNRECOGNISED and (known := lookup(envelope.event_fqn)):
        topic = known.topic  # the catalogue has learned it since
    return Event(
        organization_id=_organization_id(envelope),
        event_id=envelope.event_id,
        topic=topic,
        at=parse_time(envelope.event_timestamp),
        fact=READERS.get(topic, READERS[UNRECOGNISED])(told),
        actor=told.actor(topic),
        snapshot=None if shown is None else shown.snapshot,
        received_at=received_at,
        version=version,
        position=position,
    )


def _contents(envelope: Envelope | Body) -> tuple[Seen | None, Told]:
    """Give what a body shows of its conversation, and what it tells besides."""
    others: Mapping[str, Any]
    if isinstance(envelope, Body):
        others = dict(envelope.data or {})
        part = others.pop("conversation", None)
        shown = None if part is None else seen_in(part)
    else:
        data = envelope.data or _NO_DATA
        others = data.others
        shown = seen(data.conversation) if data.conversation else None
    if shown is None:
        return None, Told(envelope.event_fqn, others)
    return shown, Told(envelope.event_fqn, others, shown=shown.snapshot, beside=shown.beside)


def _require_json_object(body: bytes) -> None:
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        came = repr(shorten(body.decode("utf-8", "replace"))) if body else "nothing"
        raise UnreadableError("not_json", f"expected JSON, got {came}: {error}") from error
    if not isinstance(parsed, dict):
        raise UnreadableError(
            "not_an_object", f"expected a JSON object, got {shorten(repr(parsed))}"
        )


def _missing_in_envelope(error: ValidationError, body: bytes) -> UnreadableError:
    wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    name = next((name for name in _ENVELOPE_PROBLEMS if name in wrong), None)
    if name is None:
        return UnreadableError("not_json", f"expected a webhook, got {error}")
    parsed = from_json(body)
    event_id, value = parsed.get("event_id"), parsed.get(name)
    came = "nothing" if value is None else shorten(repr(value))
    return UnreadableError(
        _ENVELOPE_PROBLEMS[name],
        f"{name}: expected a text that is not empty, got {came}",
        event_id if isinstance(event_id, str) and event_id else None,
    )


_ENVELOPE_PROBLEMS: dict[str, Problem] = {
    "event_id": "no_event_id",
    "event_fqn": "no_event_fqn",
    "event_timestamp": "no_timestamp",
}


def _organization_id(envelope: Envelope | Body) -> str | None:
    return (envelope.organization and envelope.organization.id) or None


def _stream(
    envelope: Envelope | Body, event_type: EventType | None, organization_id: str | None
) -> str:
    """Choose the stream: that of the subject, or the organization's where none is named."""
    subject = event_type.subject if event_type else "unknown"
    shown, told = _contents(envelope)
    if subject == "conversation":
        return conversation_stream(organization_id, _require_csid(envelope, shown, told))
    if subject == "enduser" and (user := told.banned_user()) and user.key:
        return ban_stream("enduser", organization_id, user.key)
    if subject == "ip" and (address := told.address()):
        return ban_stream("ip", organization_id, address)
    if subject == "unknown" and (csid := _any_csid(shown, told)):
        return conversation_stream(organization_id, csid)
    return organization_stream(organization_id)


def _require_csid(envelope: Envelope | Body, shown: Seen | None, told: Told) -> int:
    try:
        return read_csid(_find_csid(shown, told))
    except InvalidInputError as error:
        message = f"data.conversation.{error}"
        raise UnreadableError("no_csid", message, envelope.event_id) from error


def _any_csid(shown: Seen | None, told: Told) -> int | None:
    try:
        return read_csid(_find_csid(shown, told))
    except InvalidInputError:
        return None


def _find_csid(shown: Seen | None, told: Told) -> object:
    """Look where a csid may stand: in the conversation, or beside it."""
    if shown is not None and shown.csid is not None:
        return shown.csid
    beside = told.part("csid")
    return told.part("conversationid") if beside is None else beside
