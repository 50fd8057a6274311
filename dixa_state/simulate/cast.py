"""Who and what there is: the organization, its queues, tags and attributes, and people.

All addresses are in domains, all numbers in ranges that are reserved for examples.
"""

from typing import Any
from uuid import UUID, uuid5

from msgspec import json

from dixa_state.simulate.dice import Dice

Document = dict[str, Any]

_NAMESPACE = UUID("5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11")
_POOL = 400
_RETURNING = 0.3


def identify(name: str) -> str:
    """Give the id that a thing of this name has in every simulation."""
    return str(uuid5(_NAMESPACE, name))


def encode(value: object) -> str:
    """Write a value as JSON."""
    return json.encode(value).decode()


class Named:
    """Something with an id and a name, and how a webhook shows it."""

    __slots__ = ("document", "id", "name", "shown")

    def __init__(self, kind: str, name: str, **more: object) -> None:
        self.id = identify(f"{kind} {name}")
        self.name = name
        self.document: Document = {"id": self.id, "name": name}
        self.shown = encode(self.document | more)


class Person:
    """Somebody: how a webhook shows them (`shown`) and how the truth does (`document`)."""

    __slots__ = ("document", "id", "shown")

    def __init__(  # noqa: PLR0913 — a person has that many parts
        self,
        *,
        identifier: str,
        name: str,
        email: str | None,
        phone: str | None,
        roles: tuple[str, ...],
        user_type: str,
    ) -> None:
        self.id = identifier
        known = {"id": identifier, "name": name, "email": email, "phone": phone}
        self.document: Document = known | {"user_type": user_type}
        self.shown = encode(known | {"roles": roles, "user_type": user_type})


class Customers:
    """End users: new ones, and some of the latest who come again."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._known: list[Person] = []

    def someone(self) -> Person:
        """Give an end user who may have written before."""
        if self._known and self._dice.chance(_RETURNING):
            return self._dice.pick(self._known)
        return self.new()

    def new(self) -> Person:
        """Give an end user who has not written before."""
        person = self._make()
        if len(self._known) < _POOL:
            self._known.append(person)
        else:
            self._known[int(self._dice.roll() * _POOL)] = person
        return person

    def _make(self) -> Person:
        first, last = self._dice.pick(_FIRST_NAMES), self._dice.pick(_LAST_NAMES)
        number = self._dice.between(1, 1_000)
        local = f"{first}.{last}{number}".lower().translate(_ASCII)
        has_phone = self._dice.chance(0.5)
        return Person(
            identifier=self._dice.uuid(),
            name=f"{first} {last}",
            email=f"{local}@{self._dice.pick(_DOMAINS)}",
            phone=f"+447700900{number % 1_000:03}" if has_phone else None,
            roles=(),
            user_type="Contact",
        )


def address(dice: Dice) -> str:
    """Give an IP address, of version 4 or 6."""
    if dice.chance(0.2):
        return f"2001:db8::{dice.between(1, 1 << 16):x}:{dice.between(1, 1 << 16):x}"
    return f"{dice.pick(_NETWORKS)}.{dice.between(1, 255)}"


ORGANIZATION = {"id": str(_NAMESPACE), "name": "Aurora Outdoor"}

QUEUES = tuple(
    Named("queue", name) for name in ("Support", "Sales", "Logistics", "Returns", "Billing")
)
TAGS = tuple(
    Named("tag", name, is_deactivated=False)
    for name in (
        *("delivery", "replacement", "refund", "invoice", "warranty", "size", "complaint"),
        *("praise", "spam", "bug", "website", "payment", "giftcard", "repair", "wholesale"),
    )
)
ROBOT = Person(
    identifier=identify("robot"),
    name="Aurora Assistant",
    email=None,
    phone=None,
    roles=(),
    user_type="Bot",
)

_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_DOMAINS = ("example.com", "example.com", "example.org", "example.net", "mail.example")
_ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "é": "e", "ü": "u", "ö": "o", " ": "."})
_FIRST_NAMES = (
    *("Mette", "Jon", "Per", "Søren", "Åse", "Ingrid", "Lars", "Maja", "Noah", "Emma", "Oscar"),
    *("Freja", "Karl", "Sofie", "Anna", "Jürgen", "Chloé", "Liam", "Olivia", "Mia", "Lucas"),
    *("Amina", "Yusuf", "Wei", "Hana", "Tomás", "Elena", "Piotr", "Zofia", "Björn", "Astrid"),
)
_LAST_NAMES = (
    *("Sand", "Berg", "Lind", "Holm", "Dahl", "Vang", "Skov", "Krogh", "Møller", "Østergaard"),
    *("Nielsen", "Hansen", "Jensen", "Larsen", "Schmidt", "Weber", "Dubois", "Rossi", "Novak"),
    *("Kowalski", "Silva", "Garcia", "Smith", "Brown", "Taylor", "Chen", "Tanaka", "Haddad"),
)
