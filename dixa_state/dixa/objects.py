"""From Dixa's payloads to the domain's users, queues and snapshots."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from sys import float_info
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dixa_state.dixa.decoding import conversation_in, convert, plain, user_in
from dixa_state.dixa.payloads import (
    ConversationPayload,
    QueuePayload,
    TagPayload,
    UserPayload,
)
from dixa_state.domain.events import Queue, Snapshot, User
from dixa_state.domain.timestamps import parse_time
from dixa_state.errors import InvalidInputError

T = TypeVar("T")
P = TypeVar("P")


_KEPT_LENGTH = 2_000  # what is longer is no part that repeats, and would fill the memory
_EXACT = 2**53  # whole numbers are exact as floats up to here


class Seen(Struct, frozen=True):
    """What a body shows of its conversation; `beside` is what stands there under unknown names."""

    csid: Any
    snapshot: Snapshot
    beside: Mapping[str, Any]


def seen(shown: ConversationPayload) -> Seen:
    """Read a body's conversation."""
    return Seen(shown.csid, snapshot(shown), getattr(shown, "model_extra", None) or {})


def seen_in(part: Raw) -> Seen | None:
    """Read a body's conversation where it is undecoded; most bodies repeat that of another.

    So what is given here is shared, and must not be changed.
    """
    text = bytes(part)
    return _seen_kept(text) if len(text) <= _KEPT_LENGTH else _seen(text)


def _seen(part: bytes) -> Seen | None:
    shown = conversation_in(part)
    return None if shown is None else seen(shown)


def _user(part: bytes) -> User | None:
    shown = user_in(part)
    return user_from(plain(Raw(part))) if shown is None else user(shown)


def _queue(part: bytes) -> Queue | None:
    return queue_from(plain(Raw(part)))


_queue_kept = lru_cache(maxsize=1_000)(_queue)
_seen_kept = lru_cache(maxsize=1_000)(_seen)
_user_kept = lru_cache(maxsize=1_000)(_user)


def snapshot(shown: ConversationPayload) -> Snapshot:
    """Take from a body's conversation what the fold reads."""
    attributes = shown.custom_attributes
    return Snapshot(
        status=shown.status,
        channel=shown.channel,
        direction=shown.direction,
        contact_point=shown.contact_point,
        created_at=time_from(shown.created_at),
        requester=user(shown.requester) if shown.requester else None,
        assignee=_unless_nameless(user, shown.assignee),
        queue=_unless_nameless(queue, shown.queue),
        subject=shown.subject,
        tags=None if shown.tags is None else _tag_names(shown.tags),
        tag_ids=_tag_ids(shown.tags) if shown.tags else {},
        custom_attributes=attributes_from(attributes),
        attribute_ids=_attribute_ids(attributes) if attributes else {},
    )


def _unless_nameless(
    read: Callable[[P], T | None], shown: P | UnsetType | None
) -> T | UnsetType | None:
    """Read what is shown; what cannot be told by anything is as good as not shown."""
    if shown is None or isinstance(shown, UnsetType):
        return shown
    return read(shown) or UNSET


def user(payload: UserPayload) -> User | None:
    """Take over a user; one without anything to tell them by is none."""
    known = User(
        payload.id,
        payload.name,
        payload.email,
        payload.phone,
        payload.user_type,
        payload.roles or (),
    )
    return known if known.key else None


def queue(payload: QueuePayload) -> Queue | None:
    """Take over a queue; one without anything to tell it by is none."""
    return Queue(payload.id, payload.name) if payload.id or payload.name else None


def user_from(value: object) -> User | None:
    """Read a user from whatever stands in a user's place: an object, or an id alone."""
    if isinstance(value, Raw):
        part = bytes(value)
        return _user_kept(part) if len(part) <= _KEPT_LENGTH else _user(part)
    if isinstance(value, dict):
        return user(convert(value, UserPayload))
    identifier = text_from(value)
    return User(id=identifier) if identifier else None


def queue_from(value: object) -> Queue | None:
    """Read a queue from whatever stands in a queue's place: an object, or an id alone."""
    if isinstance(value, Raw):
        part = bytes(value)
        return _queue_kept(part) if len(part) <= _KEPT_LENGTH else _queue(part)
    if isinstance(value, dict):
        return queue(convert(value, QueuePayload))
    identifier = text_from(value)
    return Queue(id=identifier) if identifier else None


def text_from(value: object) -> str | None:
    """Read a text from whatever stands in its place: of an object its name or id, or digits."""
    value = plain(value)
    if isinstance(value, dict):
        return text_from(value.get("name")) or text_from(value.get("id"))
    if isinstance(value, str):
        return value or None
    return None if number_from(value) is None else str(value)


def number_from(value: object) -> float | None:
    """Read a number, if it is one that can be reckoned with.

    Beyond 2^53 it is a float, as precise as most programs read numbers in JSON (RFC 8259, 6).
    """
    value = plain(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not abs(value) <= float_info.max:  # which is so of NaN, too
        return None
    return float(value) if abs(value) > _EXACT else value


def time_from(text: str | None) -> datetime | None:
    """Read a time that may be missing or unusable, which is the same here."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except InvalidInputError:
        return None


def attributes_from(value: object) -> dict[str, Any] | None:
    """Read custom attributes: a list of them, a single one, or a map from identifier to value."""
    value = plain(value)
    match value:
        case list():
            entries = [entry for entry in value if isinstance(entry, dict)]
            found = {name: entry.get("value") for entry in entries if (name := _named(entry))}
            return _finite(found) if found or not value else None
        case dict():
            name = _named(value) if "value" in value else None
            return _finite({name: value["value"]} if name else value)
        case _:
            return None


def _finite(attributes: dict[str, Any]) -> dict[str, Any]:
    """Have no number that is beyond all floats: in a state, which is kept as JSON, it is null."""
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(attributes)))


def _named(attribute: dict[str, Any]) -> str | None:
    for key in ("identifier", "name", "id"):
        if isinstance(name := attribute.get(key), str) and name:
            return name
    return None


def _tag_names(tags: tuple[TagPayload | str, ...]) -> frozenset[str] | None:
    """Name the tags; unless all have names, the body does not show which tags there are."""
    names = [tag if isinstance(tag, str) else tag.name for tag in tags]
    return frozenset(name for name in names if name) if all(names) else None


def _tag_ids(tags: tuple[TagPayload | str, ...]) -> dict[str, str]:
    shown = (tag for tag in tags if not isinstance(tag, str))
    return {tag.name: tag.id for tag in shown if tag.name and tag.id}


def _attribute_ids(value: object) -> dict[str, str]:
    """Read the ids of custom attributes that go by something else here."""
    entries = value if isinstance(value, list) else [value]
    named = ((_named(one), one.get("id")) for one in entries if isinstance(one, dict))
    return {name: key for name, key in named if name and isinstance(key, str) and key}
