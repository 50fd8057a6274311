"""Messages: how many, and how long each customer waited for a human answer."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import MessageAdded, User


class Response(Struct, gc=False, frozen=True):
    """A gap that an agent closed: the first message left unanswered, and the answer to it."""

    asked_at: datetime
    answered_at: datetime
    agent: User | None

    @property
    def seconds(self) -> float:
        """How long the customer waited."""
        return max((self.answered_at - self.asked_at).total_seconds(), 0.0)


class Opening(Struct, gc=False, frozen=True):
    """A message by an agent before any message of the customer."""

    at: datetime
    agent: User


class Messages(Struct, gc=False, frozen=True):
    """The messages so far; `waiting_since` is the first customer message not yet answered.

    `opening` is an agent's message that answered none that is known.
    """

    inbound: int = 0
    outbound: int = 0
    last_at: datetime | None = None
    last_customer_at: datetime | None = None
    waiting_since: datetime | None = None
    opening: Opening | None = None
    responses: tuple[Response, ...] = ()


def add_message(messages: Messages, at: datetime, fact: MessageAdded) -> Messages:
    """Add a message; only a human agent's message answers, an automatic one does not."""
    if fact.direction == "inbound":
        return replace(
            messages,
            inbound=messages.inbound + 1,
            last_at=at,
            last_customer_at=at,
            waiting_since=messages.waiting_since or at,
        )
    if fact.direction != "outbound":
        return replace(messages, last_at=at)
    counted = replace(messages, outbound=messages.outbound + 1, last_at=at)
    if fact.author is None or not fact.author.is_agent:
        return counted
    if messages.waiting_since is None:
        first = messages.inbound == 0 and messages.opening is None
        return replace(counted, opening=Opening(at, fact.author)) if first else counted
    answer = Response(messages.waiting_since, at, fact.author)
    return replace(counted, waiting_since=None, responses=(*messages.responses, answer))
