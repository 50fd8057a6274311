"""States as bytes, in one spelling: what the views keep, and read back as it was.

The spelling is MessagePack, which is read more than twice as fast as JSON. States that were written
as JSON, by views of version 1, are read as well.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import Transition
from dixa_state.domain.ratings import Rating

S = TypeVar("S", bound=Conversation | Ban)
T = TypeVar("T")


def encode(state: Conversation | Ban | Transition) -> bytes:
    """Write a state in one spelling only, so that equal states have equal bytes."""
    return msgspec.msgpack.encode(state, order="deterministic")


def _decoder(kind: type[T]) -> Callable[[bytes], T]:
    packed, spelled = msgspec.msgpack.Decoder(kind).decode, msgspec.json.Decoder(kind).decode

    def decode(state: bytes) -> T:
        return spelled(state) if state.startswith(b"{") else packed(state)

    return decode


decode_conversation = _decoder(Conversation)
decode_ban = _decoder(Ban)
decode_transition = _decoder(Transition)


def as_json(kept: bytes) -> bytes:
    """Show a state as JSON, in whichever spelling it is kept; what is no state stays as it is."""
    try:
        return msgspec.json.encode(msgspec.msgpack.decode(kept))
    except msgspec.MsgspecError:
        return kept


def as_kept(state: S) -> S:
    """Give a state as the views give it back.

    What has a type comes back as it was. What came in a body without one may not: a number beyond
    64 bits comes back as a float, and names in the order of the alphabet.
    """
    if isinstance(state, Conversation) and (state.custom_attributes or state.ratings):
        return replace(
            state,
            custom_attributes=_ATTRIBUTES.decode(_encode(state.custom_attributes)),
            ratings=_RATINGS.decode(_encode(state.ratings)),
        )
    return state


_ATTRIBUTES = msgspec.json.Decoder(dict[str, Any])
_RATINGS = msgspec.json.Decoder(tuple[Rating, ...])


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
