"""What each event tells, read from its `data`.

Dixa publishes the `data` of only a few events. For the others each reader accepts the plausible
spellings (camelCase, snake_case, nested or flat) and otherwise falls back on the conversation
snapshot. A reader never fails: what it does not find is None.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from msgspec import UnsetType

from dixa_state.dixa.catalog import UNRECOGNISED, spelling
from dixa_state.dixa.objects import attributes_from, queue_from, time_from, user_from
from dixa_state.domain import events
from dixa_state.domain.events import AnyFact, Queue, Snapshot, User

_NOTHING = Snapshot()


class Told:
    """What the `data` of an event says besides the conversation, whatever its spelling.

    Names are given as `spelling` reduces them: lower case, without underscores. `shown` is the
    snapshot to fall back on, `beside` what stands in the conversation under unknown names.
    """

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

    @cached_property
    def parts(self) -> dict[str, Any]:
        """Everything it says, by reduced name."""
        return {spelling(name): value for name, value in self._others.items()}

    def inside(self, *names: str) -> "Told":
        """Look into the first of these parts that is an object, or stay here if it came flat."""
        for name in names:
            if isinstance(part := self.parts.get(name), dict):
                return Told(self.fqn, part, shown=self.shown)
        return self

    def within_conversation(self) -> "Told":
        """Look among the unknown fields of the snapshot."""
        return Told(self.fqn, self._beside)

    def find(self, *names: str) -> Any:
        """Give the first of these parts that is there and not null."""
        return next((self.parts[name] for name in names if self.parts.get(name) is not None), None)

    def text(self, *names: str) -> str | None:
        """Find a text; of an object its name or id, of a number its digits."""
        value = self.find(*names)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int | float) else None

    def time(self, *names: str) -> datetime | None:
        """Find a time."""
        return time_from(self.text(*names))

    def user(self, *names: str) -> User | None:
        """Find a user."""
        return user_from(self.find(*names)) if self._others else None

    def agent(self) -> User | UnsetType | None:
        """Find the agent that an assignment names, in full if only the snapshot shows them so."""
        agent = self.user("agent", "assignee", "newagent", "assignedto", "agentid", "assigneeid")
        if agent is None and self.destination("agent"):
            agent = User(id=self.text("destinationid"), name=self.text("destinationlabel"))
        shown = self.shown.assignee
        if agent is None:
            return shown
        if isinstance(shown, User) and shown.key == agent.key and agent.name is None:
            return shown
        return agent

    def queue(self) -> Queue | UnsetType | None:
        """Find the queue that the event names, in full if only the snapshot shows it so."""
        queue = queue_from(self.find("queue", "newqueue", "toqueue", "queueid"))
        if queue is None and self.destination("queue"):
            queue = Queue(self.text("destinationid"), self.text("destinationlabel"))
        shown = self.shown.queue
        if queue is None:
            return shown
        if isinstance(shown, Queue) and shown.key == queue.key and queue.name is None:
            return shown
        return queue

    def destination(self, kind: str) -> bool:
        """Tell whether a transfer went to this kind of place, in the REST API's words."""
        return (self.text("destinationtype") or "").casefold() == kind

    def banned_user(self) -> User | None:
        """Find the end user that a ban is about."""
        return self.user("enduser", "user", "contact", "requester", "enduserid", "userid")

    def address(self) -> str | None:
        """Find the IP address that a ban is about."""
        address = self.inside("ip", "ipaddress").text("ip", "ipaddress", "address")
        return address and address.strip().casefold()


def _transferred(told: Told) -> AnyFact:
    fqn = spelling(told.fqn)
    if fqn.endswith("toagent") or told.destination("agent"):
        return events.TransferredToAgent(agent=told.agent())
    if fqn.endswith("toqueue") or told.destination("queue"):
        return events.TransferredToQueue(queue=told.queue())
    if told.user("agent", "assignee", "newagent", "agentid") is not None:
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
    score = _first(told.find("score", "ratingscore", "rating"), nested.find("score"))
    return events.Rated(
        type=told.text("type", "ratingtype") or nested.text("type"),
        score=score if isinstance(score, int | float) else None,
        comment=told.text("comment", "ratingcomment", "message") or nested.text("comment"),
        agent=told.user("agent"),
    )


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _sla(status: events.SlaStatus) -> Callable[[Told], AnyFact]:
    def read(told: Told) -> AnyFact:
        sla = told.inside("slaevaluation", "evaluation", "sla")
        return events.SlaEvaluated(
            status=status,
            id=sla.text("id", "evaluationid", "slaevaluationid", "slaid"),
            policy=sla.text("policy", "slapolicy", "policyname", "policyid", "name"),
            metric=sla.text("metric", "metrictype", "slametric", "type"),
            deadline=sla.time("deadline", "dueat", "breachat", "deadlineat", "targettime"),
        )

    return read


def _attributes_updated(told: Told) -> AnyFact:
    found = told.find("customattributes", "attributes", "customattribute", "attribute")
    values = attributes_from(found)
    return events.CustomAttributesUpdated(
        values=values if values is not None else told.shown.custom_attributes or {}
    )


def _replaced(told: Told) -> AnyFact:
    new = told.user("newuser", "newenduser", "newrequester", "enduser", "user", "newuserid")
    shown = told.shown.requester
    if new is None or (shown is not None and shown.key == new.key and new.name is None):
        new = shown
    return events.EndUserReplaced(
        new=new, old=told.user("olduser", "oldenduser", "oldrequester", "previoususer", "olduserid")
    )


def _delivery(fate: events.DeliveryFate) -> Callable[[Told], AnyFact]:
    return lambda told: events.DeliveryReported(
        fate=fate, message_id=told.inside("message").text("messageid", "id")
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
        agent=told.user("agent", "assignee", "oldagent", "agentid")
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
ACTORS: dict[str, tuple[str, ...]] = {
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
}
