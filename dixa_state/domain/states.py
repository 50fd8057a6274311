"""States as JSON, in one spelling: what the views store, and decode without loss."""

from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.histories import with_chunks
from dixa_state.domain.lifecycle import Transition

S = TypeVar("S", bound=Conversation | Ban)


def encode(state: object) -> bytes:
    """Write a state as JSON, in one spelling only, so that equal states have equal bytes."""
    return msgspec.json.encode(state, order="deterministic")


_CONVERSATIONS = msgspec.json.Decoder(Conversation)
_BANS = msgspec.json.Decoder(Ban)
decode_transition = msgspec.json.Decoder(Transition).decode


def decode_conversation(lines: bytes) -> Conversation:
    """Read a conversation: a line with its state, then one for each chunk of a long history."""
    if b"\n" not in lines:
        return _CONVERSATIONS.decode(lines)
    state, *chunks = lines.split(b"\n")
    return with_chunks(_CONVERSATIONS.decode(state), chunks)


def decode_ban(lines: bytes) -> Ban:
    """Read a ban, in the same form."""
    state, *chunks = lines.split(b"\n")
    return with_chunks(_BANS.decode(state), chunks)


def as_kept(state: S) -> S:
    """Return a state as it is after a round trip through the views.

    Typed fields come back as they were. Custom attributes have no type: their names come back in
    alphabetical order.
    """
    if isinstance(state, Conversation) and state.custom_attributes:
        attributes = _ATTRIBUTES.decode(encode(state.custom_attributes))
        return replace(state, custom_attributes=attributes)
    return state


_ATTRIBUTES = msgspec.json.Decoder(dict[str, Any])
