"""The histories of a state: its tuples, which grow with the events and change only at their end.

Whoever stores states or makes rows of them goes by these, so that one more event of a conversation
costs about the same however long it is.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from inspect import isclass
from operator import attrgetter
from typing import Any, TypeVar, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation, TagChange

S = TypeVar("S", bound=Conversation | Ban)

History = tuple[Any, ...]

CHUNK = 32
"""Items of a history that are stored together. The newest, up to two chunks, stay in the state."""

_BLOCK = 512


def _find(struct: type[Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in fields(struct):
        if get_origin(field.type) is tuple:
            yield f"{prefix}{field.name}", field.type
        elif isclass(field.type) and issubclass(field.type, Struct):
            yield from _find(field.type, f"{prefix}{field.name}.")


_TYPES = {struct: dict(_find(struct)) for struct in (Conversation, Ban)}
_DECODERS: dict[tuple[type[Struct], str], msgspec.json.Decoder[History]] = {
    (struct, path): msgspec.json.Decoder(kind)
    for struct, types in _TYPES.items()
    for path, kind in types.items()
}


class _Chunk(Struct, gc=False, frozen=True):
    history: str
    items: msgspec.Raw


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_getter = cache(attrgetter)
_GETTERS = {struct: attrgetter(*types) for struct, types in _TYPES.items()}


def paths(state: Conversation | Ban) -> Sequence[str]:
    """List the histories of a state, each by its path, for example `life.transitions`."""
    return [*_TYPES[type(state)]]


def get(state: Struct, path: str) -> Any:
    """Return what is at a path of a state."""
    return _getter(path)(state)


def get_all(state: Conversation | Ban) -> Sequence[History]:
    """Return the histories of a state, in the order of their paths."""
    found = _GETTERS[type(state)](state)
    return found if len(_TYPES[type(state)]) > 1 else (found,)


def put(state: S, path: str, value: History) -> S:
    """Return a state with another history at a path."""
    outer, _, name = path.rpartition(".")
    if outer:
        return replace(state, **{outer: replace(getattr(state, outer), **{name: value})})
    return replace(state, **{name: value})


def common_prefix(one: History, other: History) -> int:
    """Count the items at the beginning that two histories share.

    Compares whole blocks: where the items are the same objects, that takes 5 ns for each.
    """
    if one is other:
        return len(one)
    count = min(len(one), len(other))
    start = 0
    while start < count and one[start : start + _BLOCK] == other[start : start + _BLOCK]:
        start += _BLOCK
    while start < count and one[start] == other[start]:
        start += 1
    return min(start, count)


def full_chunks(history: History) -> int:
    """Count the chunks of a history that are not stored with its state."""
    return max(len(history) // CHUNK - 1, 0)


def count_chunks(state: Conversation | Ban) -> int:
    """Count the chunks of all histories that are not stored with their state."""
    long = (history for history in get_all(state) if len(history) >= 2 * CHUNK)
    return sum(map(full_chunks, long))


def recent(state: S) -> S:
    """Return a state with the newest items of its histories only."""
    for path, history in zip(paths(state), get_all(state), strict=True):
        if len(history) >= 2 * CHUNK:
            state = put(state, path, history[full_chunks(history) * CHUNK :])
    return state


APPENDED = (
    "life.transitions",
    "assignments",
    "queue_history",
    "visits",
    "messages.responses",
    "tag_history",
)
"""The histories of which an event reads and changes the newest items only."""

Older = dict[str, list[Any]]


def detach(state: S, older: Older, grace: timedelta, keep: int) -> S:
    """Move what a conversation's histories begin with to `older`, all but the newest items.

    An event copies the history that it appends to. A fold of n events would copy n² items, unless
    it does this from time to time. The explanation of an inferred tag is looked for within the
    grace, so that much of the tags stays.
    """
    if not isinstance(state, Conversation):
        return state
    for path in APPENDED:
        history = get(state, path)
        count = len(history) - keep
        if count > 0 and not (path == "tag_history" and _is_recent(history[count], state, grace)):
            older.setdefault(path, []).extend(history[:count])
            state = put(state, path, history[count:])
    return state


def _is_recent(change: TagChange, state: Conversation | Ban, grace: timedelta) -> bool:
    return state.newest is not None and state.newest.at - change.at <= grace


def attach(state: S, older: Older) -> S:
    """Return a state that holds again what was detached from it."""
    for path, history in older.items():
        state = put(state, path, (*history, *get(state, path)))
    return state


def encode_chunk(path: str, history: History, number: int) -> bytes:
    """Write a chunk of a history as JSON, the first of number 0."""
    items = msgspec.json.encode(
        history[number * CHUNK : (number + 1) * CHUNK], order="deterministic"
    )
    return msgspec.json.encode(_Chunk(path, msgspec.Raw(items)))


def with_chunks(state: S, chunks: Sequence[bytes]) -> S:
    """Return a state that holds the chunks of its histories, given in their order, too."""
    older = Older()
    for encoded in chunks:
        chunk = _decode_chunk(encoded)
        items = _DECODERS[type(state), chunk.history].decode(chunk.items)
        older.setdefault(chunk.history, []).extend(items)
    return attach(state, older)
