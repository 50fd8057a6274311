"""What each event tells, read from its `data`.

Dixa publishes the `data` of only a few events. For the others each reader accepts the plausible
spellings (camelCase, snake_case, nested or flat) and otherwise falls back on the conversation
snapshot. A reader never fails: what it does not find is None.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import UnsetType

from dixa_state.dixa.catalog import UNRECOGNISED, spelling
from dixa_state.dixa.decoding import plain
from dixa_state.dixa.objects import (
    attributes_from,
    number_from,
    queue_from,
    text_from,
    time_from,
    user_from,
)
from dixa_state.domain import events
from dixa_state.domain.events import AnyFact, Queue, Snapshot, User

T = TypeVar("T")
Named = TypeVar("Named", User, Queue)

_NOTHING = Snapshot()
_NOWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_KEPT_LENGTH = 500
_AGENT = ("agent", "assignee", "newagent", "assignedto")


class Told:
    """What the `data` of an event says besides the conversation, whatever its spelling.

    Names are given as `spelling` reduces them: lower case, without underscores. `shown` is the
    snapshot to fall back on, `beside` what stands in the conversation under unknown names.
    """

    __slots__ = ("_beside", "_others", "_spelled", "fqn", "shown")

    def __init__(
        self,
        fqn: str,
        others: Mapping[str, Any],
        *,
        shown: Snapshot = _NOTHING,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        self.fqn = fqn
        self.shown = shown
        self._others = others
        self._beside = beside or {}
        self._spelled = _spelled(tuple(others)) if others else _NOWHERE

    def inside(self, *names: str) -> "Told":
        """Look into the first of these parts that is an object, or stay here if it came flat."""
        for name in names:
            if isinstance(part := self.part(name), dict):
                return Told(self.fqn, part, shown=self.shown)
        return self

    def within_conversation(self) -> "Told":
        """Look among the unknown fields of the snapshot."""
        return Told(self.fqn, self._beside)

    def part(self, name: str) -> Any:
        """Give the part of this name; None if there is none."""
        return plain(self._part(name)) if name in self._spelled else None

    def find(self, read: Callable[[object], T | None], names: Iterable[str]) -> T | None:
        """Give the first of these parts that can be read as what is looked for."""
        spelled = self._spelled
        for name in names:
            if name in spelled and (found := read(self._part(name))) is not None:
                return found
        return None

    def _part(self, name: str) -> Any:
        """Give the part of this name as it came: of several, the last that is not null."""
        originals = self._spelled[name]
        if len(originals) == 1:
            return self._others[originals[0]]
        parts = (self._others[original] for original in reversed(originals))
        return next((part for part in parts if plain(part) is not None), None)

    def text(self, *names: str) -> str | None:
        """Find a text."""
        return self.find(text_from, names)

    def number(self, *names: str) -> float | None:
        """Find a number."""
        return self.find(number_from, names)

    def time(self, *names: str) -> datetime | None:
        """Find a time."""
        return self.find(lambda value: time_from(text_from(value)), names)

    def attributes(self, *names: str) -> dict[str, Any] | None:
        """Find custom attributes."""
        return self.find(attributes_from, names)

    def user(self, *names: str) -> User | None:
        """Find a user: `agent` looks for `agentId` too."""
        return self.find(user_from, _with_ids(names))

    def actor(self, topic: str) -> User | None:
        """Find who did what an event of this topic tells."""
        return self.find(user_from, ACTORS.get(topic, _AUTHOR))

    def agent(self) -> User | UnsetType | None:
        """Find the agent that an assignment names, in full if only the snapshot shows them so."""
        agent = self.user(*_AGENT) or user_from(self.destination("agent"))
        shown = self.shown.assignee
        return shown if agent is None else _in_full(agent, shown)

    def queue(self) -> Queue | UnsetType | None:
        """Find the queue that the event names, in full if only the snapshot shows it so."""
        queue = self.find(queue_from, _with_ids(("queue", "newqueue", "toqueue")))
        queue = queue or queue_from(self.destination("queue"))
        shown = self.shown.queue
        return shown if queue is None else _in_full(queue, shown)

    def destination(self, kind: str) -> dict[str, str | None] | None:
        """Find where a transfer went, in the REST API's words, if that is this kind of place."""
        if (self.text("destinationtype") or "").casefold() != kind:
            return None
        return {"id": self.text("destinationid"), "name": self.text("destinationlabel")}

    def banned_user(self) -> User | None:
        """Find the end user that a ban is about: named, or else whose conversation it shows."""
        return self.user("enduser", "user", "contact", "requester") or self.shown.requester

    def address(self) -> str | None:
        """Find the IP address that a ban is about."""
        place = self.inside("ip", "ipaddress")
        address = place.text("ip", "ipaddress", "address", "value") or ""
        return address.strip().casefold() or None


@cache
def _with_ids(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(spelled for name in names for spelled in (name, f"{name}id"))


def _spelled(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Find names by what `spelling` makes of them."""
    return _place_kept(names) if len("".join(names)) <= _KEPT_LENGTH else _place(names)


def _place(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    places: dict[str, tuple[str, ...]] = {}
    for name in names:
        reduced = spelling(name)
        places[reduced] = (*places.get(reduced, ()), name)
    return places


_place_kept = lru_cache(maxsize=1_000)(_place)  # the events of a kind have the same parts


def _in_full(named: Named, shown: Named | UnsetType | None) -> Named:
    if isinstance(shown, UnsetType) or shown is None or shown.key != named.key:
        return named
    return shown if named.name is None else named


def _transferred(told: Told) -> AnyFact:
    fqn = spelling(told.fqn)
    if fqn.endswith("toagent") or told.destination("agent"):
        return events.TransferredToAgent(agent=told.agent())
    if fqn.endswith("toqueue") or told.destination("queue"):
        return events.TransferredToQueue(queue=told.queue())
    if told.user(*_AGENT) is not None:
        return events.TransferredToAgent(agent=told.agent())
    return events.TransferredToQueue(queue=told.queue())


def _message(told: Told) -> AnyFact:
    direction = told.text("direction")
    return events.MessageAdded(
        direction=direction and direction.casefold(),
        author=told.user("author", "user", "sender"),
        message_id=told.text("messageid", "id"),
    )


def _rated(told: Told) -> AnyFact:
    """Read a rating; a published sample nests score and type in the conversation."""
    nested = told.within_conversation()
    score = told.number("score", "ratingscore", "rating")
    return events.Rated(
        type=told.text("type", "ratingtype") or nested.text("type"),
        score=nested.number("score") if score is None else score,
        comment=told.text("comment", "ratingcomment", "message") or nested.text("comment"),
        agent=told.user("agent"),
    )


def _sla(status: events.SlaStatus) -> Callable[[Told], AnyFact]:
    fact = events.SlaEvaluationBegan if status == "pending" else events.SlaEvaluated

    def read(told: Told) -> AnyFact:
        sla = told.inside("slaevaluation", "evaluation", "sla")
        return fact(
            status=status,
            id=sla.text("id", "evaluationid", "slaevaluationid", "slaid"),
            policy=sla.text("policy", "slapolicy", "policyname", "policyid", "name"),
            metric=sla.text("metric", "metrictype", "slametric", "type"),
            deadline=sla.time("deadline", "dueat", "breachat", "deadlineat", "targettime"),
        )

    return read


def _attributes_updated(told: Told) -> AnyFact:
    values = told.attributes("customattributes", "attributes", "customattribute", "attribute")
    return events.CustomAttributesUpdated(
        values=values if values is not None else told.shown.custom_attributes or {}
    )


def _replaced(told: Told) -> AnyFact:
    new = told.user("newuser", "newenduser", "newrequester", "enduser", "user")
    shown = told.shown.requester
    return events.EndUserReplaced(
        new=shown if new is None else _in_full(new, shown),
        old=told.user("olduser", "oldenduser", "oldrequester", "previoususer"),
    )


def _delivery(fate: events.DeliveryFate) -> Callable[[Told], AnyFact]:
    return lambda told: events.DeliveryReported(
        fate=fate,
        message_id=told.text("messageid") or told.inside("message").text("messageid", "id"),
    )


READERS: dict[str, Callable[[Told], AnyFact]] = {
    "conversation.created": lambda _: events.Created(),
    "conversation.custom_attribute_updated": _attributes_updated,
    "conversation.open": lambda _: events.Reopened(),
    "conversation.pending": lambda _: events.FollowUpAdded(),
    "conversation.pending_expired": lambda told: events.FollowUpExpired(
        user=told.user("pendingbyuser", "pendingby")
    ),
    "conversation.closed": lambda _: events.Closed(),
    "conversation.abandoned": lambda told: events.Abandoned(queue=told.queue()),
    "conversation.enqueued": lambda told: events.Enqueued(queue=told.queue()),
    "conversation.assigned": lambda told: events.Assigned(agent=told.agent()),
    "conversation.unassigned": lambda told: events.Unassigned(
        agent=told.user("agent", "assignee", "oldagent", "previousagent")
    ),
    "conversation.note_added": lambda told: events.NoteAdded(author=told.user("author")),
    "conversation.message_added": _message,
    "conversation.tag_added": lambda told: events.TagAdded(tag=told.text("tag", "tagname")),
    "conversation.tag_removed": lambda told: events.TagRemoved(tag=told.text("tag", "tagname")),
    "conversation.rated": _rated,
    "conversation.transferred": _transferred,
    "conversation.end_user_replaced": _replaced,
    "typing.started": lambda told: events.TypingStarted(agent=told.user("agent", "author")),
    "sla.pending": _sla("pending"),
    "sla.breached": _sla("breached"),
    "sla.achieved": _sla("achieved"),
    "sla.voided": _sla("voided"),
    "enduser.banned": lambda told: events.EndUserBanned(user=told.banned_user()),
    "enduser.unbanned": lambda told: events.EndUserUnbanned(user=told.banned_user()),
    "ip.banned": lambda told: events.IpBanned(address=told.address()),
    "ip.unbanned": lambda told: events.IpUnbanned(address=told.address()),
    "conversation.message_delivery_sent": _delivery("sent"),
    "conversation.message_delivery_delivered": _delivery("delivered"),
    "conversation.message_delivery_seen": _delivery("seen"),
    "conversation.message_delivery_failed": _delivery("failed"),
    "conversation.message_delivery_info": _delivery("info"),
    "conversation.message_delivery_spam_complaint": _delivery("spam_complaint"),
    UNRECOGNISED: lambda told: events.Unrecognised(fqn=told.fqn),
}
_AUTHOR = _with_ids(("author", "actor"))
ACTORS: dict[str, tuple[str, ...]] = {
    topic: _AUTHOR + _with_ids(names)
    for topic, names in {
        "conversation.closed": ("closedby", "user", "agent"),
        "conversation.open": ("openedby", "user", "agent"),
        "conversation.pending": ("pendingbyuser", "user", "agent"),
        "conversation.assigned": ("assignedby", "user"),
        "conversation.unassigned": ("unassignedby", "user"),
        "conversation.transferred": ("transferredby", "user"),
        "typing.started": ("agent", "user"),
        "enduser.banned": ("agent", "bannedby"),
        "enduser.unbanned": ("agent", "unbannedby"),
        "ip.banned": ("agent", "bannedby", "user"),
        "ip.unbanned": ("agent", "unbannedby", "user"),
    }.items()
}
