"""Since when a conversation has been open, and what falls due in it next."""

from datetime import datetime

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import ENDED


def open_since(state: Conversation) -> datetime | None:
    """Return since when the conversation has been open."""
    return state.life.since if state.life.status == "open" else None


def next_deadline(state: Conversation) -> datetime | None:
    """Return the earliest deadline of the SLA evaluations without an outcome."""
    if state.life.status in ENDED:
        return None
    pending = (one.deadline for one in state.sla if one.status == "pending")
    return min((deadline for deadline in pending if deadline is not None), default=None)
