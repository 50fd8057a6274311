"""Bodies decoded fast: where one is spelled as Dixa documents it, its parts need no forgiveness.

The models in `payloads` say what a body is made of, and read it whatever has become of it. From
them structs are made here with the same names and the exact types, which msgspec decodes in a
fraction of the time. What does not fit them exactly is read by the models, be it the envelope of a
body or a part of it; where it fits, both give the same. A part stays undecoded until it is wanted.
"""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Protocol, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta, Raw, Struct, defstruct
from pydantic import AliasChoices, BaseModel
from pydantic_core import from_json

from dixa_state.dixa.payloads import (
    ConversationPayload,
    Data,
    Envelope,
    Organization,
    UserPayload,
)

M = TypeVar("M", bound=BaseModel)

_HARMLESS_LENGTH = 4_096  # a number of 4,300 digits is refused as JSON
_HARMLESS_DEPTH = 100  # as is what is nested 200 deep


class Body(Struct, frozen=True):
    """A webhook whose envelope fits exactly: what `Envelope` gives, with its parts undecoded."""

    event_id: str
    event_fqn: str
    event_timestamp: str
    organization: Organization | None = None
    data: dict[str, Raw] | None = None


def decode(body: bytes) -> Envelope | Body:
    """Read a webhook. Raises pydantic's `ValidationError` if it lacks what an event must have."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return Envelope.model_validate_json(body)


class Address(Protocol):
    """What tells where the event of a conversation belongs."""

    event_id: str
    event_fqn: str
    event_timestamp: str
    organization: Organization | None
    data: Any


def address(body: bytes) -> Address | None:
    """Read no more than where a body belongs; None unless it is plainly about a conversation.

    What it passes over is JSON too, but for what `is_harmless` looks for.
    """
    try:
        found: Address = _ADDRESS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found


def is_harmless(body: bytes) -> bool:
    """Tell whether a body has no bytes that are no text, endless numbers or depths."""
    if len(body) > _HARMLESS_LENGTH or body.count(b"{") + body.count(b"[") > _HARMLESS_DEPTH:
        return False
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


def convert(value: dict[str, Any], model: type[M]) -> M:
    """Read a part of a body that has been decoded already."""
    try:
        return cast("M", msgspec.convert(value, _struct(model)))
    except msgspec.MsgspecError:
        return model.model_validate(value)


def conversation_in(part: bytes) -> ConversationPayload | None:
    """Read the part of a body that shows its conversation."""
    try:
        return cast("ConversationPayload", _CONVERSATION.decode(part))
    except msgspec.MsgspecError:
        return Data.model_validate_json(b'{"conversation":%b}' % part).conversation


def user_in(part: bytes) -> UserPayload | None:
    """Read a part of a body that may be a user; None if it is not one, spelled as documented."""
    try:
        return cast("UserPayload", _USER.decode(part))
    except msgspec.MsgspecError:
        return None


def plain(part: Any) -> Any:
    """Give a part of a body decoded, whether it was or not."""
    if not isinstance(part, Raw):
        return part
    try:
        return _ANYTHING.decode(part)
    except msgspec.MsgspecError:
        return from_json(bytes(part))


def _decode(body: bytes) -> Body:
    return cast("Body", _BODY.decode(body))


@cache
def _struct(model: type[BaseModel]) -> type[Struct]:
    """Make the struct of a model; where names have other spellings, it knows only the first."""
    fields = model.model_fields.items()
    aliased = any(isinstance(field.validation_alias, AliasChoices) for _, field in fields)
    return defstruct(
        model.__name__,
        [(name, _exactly(field.annotation), field.default) for name, field in fields],
        frozen=True,
        forbid_unknown_fields=aliased,
    )


def _exactly(kind: Any) -> Any:
    """Give the type that a field has where nothing must be forgiven."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _struct(kind)
    if get_origin(kind) is Annotated:
        return get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(map(_exactly, get_args(kind)))]  # noqa: UP007 — made, not written
    if get_origin(kind) is tuple:
        return tuple.__class_getitem__((_exactly(get_args(kind)[0]), ...))
    return kind


_Name = Annotated[str, Meta(min_length=1)]
_ORGANIZATION = _exactly(Envelope.model_fields["organization"].annotation)
ExactBody = defstruct(
    "ExactBody",
    [
        ("event_id", _Name),
        ("event_fqn", _Name),
        ("event_timestamp", _Name),
        ("organization", _ORGANIZATION, None),
    ],
    bases=(Body,),
    frozen=True,
)
_Numbered = defstruct("_Numbered", [("csid", int)])
_Address = defstruct(
    "_Address",
    [
        ("event_id", _Name),
        ("event_fqn", _Name),
        ("event_timestamp", _Name),
        ("data", defstruct("_About", [("conversation", _Numbered)])),
        ("organization", _ORGANIZATION, None),
    ],
)
_ADDRESS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Address)
_BODY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ExactBody)
_CONVERSATION: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    _exactly(Data.model_fields["conversation"].annotation)
)
_USER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct(UserPayload))
_ANYTHING = msgspec.json.Decoder()
