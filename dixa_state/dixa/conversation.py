"""The conversation that a body shows: Dixa's own fields, and the snapshot that the fold reads.

Source: Dixa's documentation, page *Webhook payloads*, and published samples.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from dixa_state.dixa.fields import (
    Fields,
    attribute_ids_from,
    attributes_from,
    queue_from,
    scalar_from,
    time_from,
    user_from,
)
from dixa_state.domain.events import Queue, Snapshot, User

N = TypeVar("N", User, Queue)


class Named(Struct, gc=False, frozen=True):
    """A thing with an id and a name: an organization, a tag, an SLA policy."""

    id: str | None = None
    name: str | None = None


class ConversationData(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """The conversation as Dixa saw it; what is missing is hidden, which null is not."""

    csid: Any = None
    status: str | None = None
    channel: str | None = None
    direction: str | None = None
    contact_point: str | None = None
    created_at: str | None = None
    requester: User | None = None
    assignee: User | UnsetType | None = UNSET
    queue: Queue | UnsetType | None = UNSET
    subject: str | None = None
    tags: tuple[Named | str, ...] | None = None
    custom_attributes: Any = None

    @property
    def snapshot(self) -> Snapshot:
        """Return what the fold reads of it."""
        tags, attributes = self.tags, self.custom_attributes
        return Snapshot(
            status=self.status,
            channel=self.channel,
            direction=self.direction,
            contact_point=self.contact_point,
            created_at=time_from(self.created_at),
            requester=known(self.requester),
            assignee=_shown(self.assignee),
            queue=_shown(self.queue),
            subject=self.subject,
            tags=None if tags is None else _tag_names(tags),
            tag_ids=_tag_ids(tags) if tags else {},
            custom_attributes=attributes_from(attributes),
            attribute_ids=attribute_ids_from(attributes) if attributes else {},
        )


def decode_snapshot(part: Raw) -> Snapshot | None:
    """Decode a conversation that is spelled as documented; raises msgspec's errors for any other.

    Most bodies repeat the conversation of the one before, so it is shared, and must not be changed.
    """
    text = bytes(part)
    return _decode_kept(text) if len(text) <= _LONGEST_KEPT else _decode(text)


def _decode(part: bytes) -> Snapshot | None:
    conversation = _CONVERSATION.decode(part) if part else None
    return conversation and conversation.snapshot


_CONVERSATION = Decoder(ConversationData | None)
_LONGEST_KEPT = 2_000  # what is longer hardly repeats, and would fill the memory
_decode_kept = lru_cache(maxsize=1_000)(_decode)  # finding one takes a twentieth of decoding it


def snapshot_from(value: object) -> Snapshot | None:
    """Read a conversation in any spelling."""
    if not isinstance(value, dict):
        return None
    fields = Fields(value)
    text = partial(fields.find, scalar_from)
    requester, tags = fields.get("requester"), fields.get("tags")
    conversation = ConversationData(
        status=text("status"),
        channel=text("channel"),
        direction=text("direction"),
        contact_point=text("contactpoint"),
        created_at=text("createdat"),
        requester=user_from(requester) if isinstance(requester, dict) else None,
        assignee=_part(fields.get("assignee", UNSET), user_from),
        queue=_part(fields.get("queue", UNSET), queue_from),
        subject=text("subject"),
        tags=tuple(map(_tag_from, tags)) if isinstance(tags, list) else None,
        custom_attributes=fields.get("customattributes"),
    )
    return conversation.snapshot


def _part(value: object, read: Callable[[object], N | None]) -> N | UnsetType | None:
    """Read what is null where there is none; anything but an object hides it."""
    if value is None:
        return None
    return (read(value) if isinstance(value, dict) else None) or UNSET


def _tag_names(tags: Iterable[Named | str]) -> frozenset[str] | None:
    """Return the names; unless all tags have one, the body does not show which there are."""
    names = [tag if isinstance(tag, str) else tag.name for tag in tags]
    return frozenset(name for name in names if name) if all(names) else None


def _tag_ids(tags: Iterable[Named | str]) -> dict[str, str]:
    named = (tag for tag in tags if isinstance(tag, Named))
    return {tag.name: tag.id for tag in named if tag.name and tag.id}


def _tag_from(value: object) -> Named | str:
    if isinstance(value, dict):
        return Named(scalar_from(value.get("id")), scalar_from(value.get("name")))
    return scalar_from(value) or ""


def _shown(found: N | UnsetType | None) -> N | UnsetType | None:
    """Return what a conversation shows; what cannot be identified is as good as hidden."""
    if found is None or isinstance(found, UnsetType):
        return found
    return found if found.key else UNSET


def in_full(named: N | None, shown: N | UnsetType | None) -> N | UnsetType | None:
    """Return what an event names: as its conversation shows it, where the event has an id alone."""
    named = known(named)
    if named is None:
        return shown
    if isinstance(shown, UnsetType) or shown is None or shown.key != named.key:
        return named
    return shown if named.name is None else named


def known(found: N | None) -> N | None:
    """Return a user or a queue; without anything to identify it by it is none."""
    return found if found is not None and found.key else None
