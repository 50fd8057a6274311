"""What a body is made of: models that keep what they do not know and survive what is missing.

Only the envelope can fail. Everything below it is optional: a part that is missing, null or of an
unexpected type reads as its default, because a payload that drifted must not cost us the event.

Source: Dixa's documentation, page *Webhook payloads*, and published samples.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, UnsetType
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class _Otherwise:
    """Reads what does not fit as `default` instead of failing."""

    def __init__(self, default: object) -> None:
        self._default = default

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_default_schema(
            handler(source), default=self._default, on_error="default"
        )


Maybe = Annotated[T | None, _Otherwise(None)]
Text = Maybe[str]


class _Hidden:
    """Stands for what a body does not show, where null is an answer of its own."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        del source, handler
        return core_schema.is_instance_schema(UnsetType)


Shown = Annotated[T | Annotated[UnsetType, _Hidden()] | None, _Otherwise(UNSET)]


class Payload(BaseModel):
    """A part of a body; fields that we have no name for stay in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)


class UserPayload(Payload):
    """An end user, an agent or a bot. REST and older payloads spell some fields otherwise."""

    id: Text = None
    name: Text = Field(None, validation_alias=AliasChoices("name", "displayName", "display_name"))
    email: Text = None
    phone: Text = Field(None, validation_alias=AliasChoices("phone", "phoneNumber"))
    user_type: Text = Field(None, validation_alias=AliasChoices("user_type", "userType"))
    roles: Maybe[tuple[str, ...]] = None


class QueuePayload(Payload):
    """A queue."""

    id: Text = None
    name: Text = None


class TagPayload(Payload):
    """A tag on a conversation."""

    id: Text = None
    name: Text = None


class ConversationPayload(Payload):
    """The conversation as Dixa saw it when it sent the event."""

    csid: Any = Field(None, validation_alias=AliasChoices("csid", "id"))
    status: Text = None
    channel: Text = None
    direction: Text = None
    contact_point: Text = Field(
        None, validation_alias=AliasChoices("contact_point", "contactPoint")
    )
    created_at: Text = Field(None, validation_alias=AliasChoices("created_at", "createdAt"))
    requester: Maybe[UserPayload] = None
    assignee: Shown[UserPayload] = UNSET
    queue: Shown[QueuePayload] = UNSET
    subject: Text = None
    tags: Maybe[tuple[TagPayload | str, ...]] = None
    custom_attributes: Any = Field(
        None, validation_alias=AliasChoices("custom_attributes", "customAttributes")
    )


class Organization(Payload):
    """The tenant."""

    id: Text = None
    name: Text = None


class Data(Payload):
    """What depends on the event; all but the conversation is read by `reading`."""

    conversation: Maybe[ConversationPayload] = None

    @property
    def others(self) -> Mapping[str, Any]:
        """The parts besides the conversation, as they came."""
        return self.model_extra or {}


Name = Annotated[str, StringConstraints(min_length=1, strict=True)]


class Envelope(Payload):
    """One webhook. Without an id, an fqn and a time it cannot become an event."""

    event_id: Name
    event_fqn: Name
    event_timestamp: Name
    organization: Maybe[Organization] = None
    data: Maybe[Data] = None
