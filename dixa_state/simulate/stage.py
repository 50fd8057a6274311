"""The stage: what every act plays with, and the agenda of what is still to come."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Literal, NamedTuple

from dixa_state.simulate import prose
from dixa_state.simulate.bans import Bans
from dixa_state.simulate.cast import Customers
from dixa_state.simulate.channels import CHANNELS, Channel
from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.dice import Dice
from dixa_state.simulate.prose import Prose
from dixa_state.simulate.staff import Agent, Staff
from dixa_state.simulate.webhooks import Webhook

ActName = Literal[
    "abandon",
    "ask",
    "assign",
    "ban",
    "breach",
    "close",
    "come_back",
    "comment",
    "deliver",
    "describe",
    "expire",
    "follow_up",
    "greet",
    "hand_back",
    "note",
    "rate",
    "replace",
    "reply",
    "tag",
    "transfer_to_agent",
    "transfer_to_queue",
    "type",
    "unban",
    "untag",
]

_AT_ONCE = 0.15
_BLINK = 5, 150


class Entry(NamedTuple):
    """Something to come; `number` keeps entries of one moment in order."""

    at: int
    number: int
    act: ActName
    conversation: Conversation
    about: Any


class Stage:
    """Chance, staff and customers; what was sent and not yet delivered; what is to come."""

    def __init__(self, seed: str) -> None:
        self.dice = Dice(seed)
        self.staff = Staff()
        self.customers = Customers(self.dice)
        self.outbox: list[Webhook] = []
        self.bans = Bans(self.dice, self.outbox)
        self._voices = {
            "customer": Prose("customer", prose.CUSTOMER),
            "agent": Prose("agent", prose.AGENT),
            "note": Prose("note", prose.NOTE),
            "robot": Prose("robot", prose.ROBOT),
        }
        self._agenda: list[Entry] = []
        self._numbers = count()

    def then(self, conversation: Conversation, at: int, act: ActName, about: object = None) -> None:
        """Put an act on the agenda."""
        conversation.acts += 1
        heappush(self._agenda, Entry(at, next(self._numbers), act, conversation, about))

    def until(self, at: int) -> Iterator[Entry]:
        """Take what is on the agenda up to a moment, in order, also what is added meanwhile."""
        agenda = self._agenda
        while agenda and agenda[0].at <= at:
            entry = heappop(agenda)
            entry.conversation.acts -= 1
            yield entry

    def unfinished(self) -> Iterator[Conversation]:
        """Take the conversations for which something is still on the agenda, each once."""
        for entry in sorted(self._agenda):
            entry.conversation.acts -= 1
            if not entry.conversation.acts:
                yield entry.conversation

    def say(self, voice: str, letters: int) -> str:
        """Give a text of about this length, as JSON without its quotation marks."""
        return self._voices[voice].cut(self.dice, letters)

    def gap(self) -> int:
        """Give the time from one webhook of an action to the next; often they share a moment."""
        return 0 if self.dice.chance(_AT_ONCE) else self.blink()

    def blink(self) -> int:
        """Give a time that is short, but some."""
        return self.dice.between(*_BLINK)


def channel_of(conversation: Conversation) -> Channel:
    """Give the channel of a conversation."""
    return CHANNELS[conversation.truth.channel]


def agent_of(conversation: Conversation) -> Agent:
    """Give the agent of a conversation that has one."""
    if conversation.agent is None:
        raise LookupError(f"conversation {conversation.truth.csid}: expected an agent, got none")
    return conversation.agent
