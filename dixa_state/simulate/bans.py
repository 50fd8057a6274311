"""Bans of end users and of IP addresses: laid, lifted, perhaps laid again."""

from collections.abc import Iterator
from typing import Literal

from dixa_state.simulate import webhooks
from dixa_state.simulate.cast import ORGANIZATION, Document, Person
from dixa_state.simulate.dice import Dice
from dixa_state.simulate.staff import Agent
from dixa_state.simulate.times import written
from dixa_state.simulate.webhooks import Webhook

Kind = Literal["enduser", "ip"]


class Ban:
    """Whether somebody, or an address, is banned, by whom, since when; and how it came."""

    __slots__ = ("at", "banned", "by", "history", "id", "kind", "user")

    def __init__(self, kind: Kind, identifier: str, user: Person | None) -> None:
        self.kind = kind
        self.id = identifier
        self.user = user
        self.banned = False
        self.at = 0
        self.by: Agent | None = None
        self.history: list[Document] = []

    def document(self) -> Document:
        """Tell it in the words of `bans --json --history`."""
        return {
            "kind": self.kind,
            "organization_id": ORGANIZATION["id"],
            "id": self.id,
            "user": self.user.document if self.user else None,
            "banned": self.banned,
            "since": written(self.at),
            "by": self.by.document if self.by else None,
            "history": self.history,
            "version": len(self.history),
        }


class Bans:
    """Every ban there ever was."""

    def __init__(self, dice: Dice, outbox: list[Webhook]) -> None:
        self._dice = dice
        self._outbox = outbox
        self._bans: dict[str, Ban] = {}

    def __iter__(self) -> Iterator[Ban]:
        return iter(self._bans.values())

    def of_end_user(self, user: Person) -> Ban:
        """Give the ban of an end user, laid or not."""
        return self._bans.setdefault(user.id, Ban("enduser", user.id, user))

    def of_ip(self, address: str) -> Ban:
        """Give the ban of an IP address, laid or not."""
        return self._bans.setdefault(address, Ban("ip", address, None))

    def change(self, at: int, ban: Ban, agent: Agent, *, banned: bool) -> None:
        """Lay or lift a ban; one that is so already stays as it is."""
        if ban.banned == banned:
            return
        at = max(at, ban.at + 1)
        event_id = self._dice.uuid()
        ban.banned, ban.at, ban.by = banned, at, agent
        told = {"banned": banned, "at": written(at), "by": agent.document, "event_id": event_id}
        ban.history.append(told)
        body = webhooks.write(event_id, _fqn(ban), at, _data(ban, agent))
        self._outbox.append(Webhook(at, event_id, "", body, "", None))


def _fqn(ban: Ban) -> str:
    done = "BANNED" if ban.banned else "UNBANNED"
    return f"AGENT_{done}_{ban.kind.upper()}"


def _data(ban: Ban, agent: Agent) -> str:
    subject = f'"enduser":{ban.user.shown}' if ban.user else f'"ip":"{ban.id}"'
    return f'{subject},"agent":{agent.shown}'
