"""States as JSON, in one spelling: what the views keep, and read back as it was."""

import msgspec

from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import Transition


def encode(state: Conversation | Ban | Transition) -> bytes:
    """Write a state as JSON, in one spelling only, so that equal states have equal bytes."""
    return msgspec.json.encode(state, order="deterministic")


_CONVERSATIONS = msgspec.json.Decoder(Conversation)
_BANS = msgspec.json.Decoder(Ban)
_TRANSITIONS = msgspec.json.Decoder(Transition)
decode_conversation, decode_ban, decode_transition = (
    _CONVERSATIONS.decode,
    _BANS.decode,
    _TRANSITIONS.decode,
)


def as_kept(state: Conversation | Ban) -> Conversation | Ban:
    """Give a state as the views give it back: a 5 that was read as a score comes back as 5.0."""
    decode = decode_ban if isinstance(state, Ban) else decode_conversation
    return decode(encode(state))
