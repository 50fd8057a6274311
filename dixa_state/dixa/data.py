"""What the `data` of each event holds, and the fact that it makes.

Each struct is read in two ways, which a property holds equal. A body spelled as Dixa documents it
is decoded by msgspec straight into the struct, in a few microseconds; any name that is not a field
here fails that, since it may be another spelling of one. Every other body goes through `find`: a
field is annotated with the spellings of its name that are accepted, as `spelling` reduces them, and
with how its value is read. The fact is made in one place, `fact`.

Source: Dixa's documentation, page *Webhook payloads*, and published samples. Most `data` is not
published; the spellings are what Dixa's REST API and symmetry suggest.
"""

from collections.abc import Callable, Sequence
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from msgspec import Raw, Struct, field

from dixa_state.dixa.conversation import Named, in_full, known
from dixa_state.dixa.fields import (
    Fields,
    address_from,
    as_it_came,
    attachments_from,
    attributes_from,
    number_from,
    queue_from,
    score_from,
    spelling,
    text_from,
    time_from,
    user_from,
    with_ids,
)
from dixa_state.domain.events import (
    AnyFact,
    Queue,
    Snapshot,
    TransferredToAgent,
    TransferredToQueue,
    User,
)

Make = Callable[..., AnyFact]

_UNREAD = Raw()  # documented, and read by no fact


class _Spellings(NamedTuple):
    """How a field is read from a body that is not spelled as documented: best name first."""

    read: Callable[[Any], Any]
    names: tuple[str, ...]


def _user(*names: str) -> _Spellings:
    return _Spellings(user_from, with_ids(*names))


def _queue(*names: str) -> _Spellings:
    return _Spellings(queue_from, with_ids(*names))


def _text(*names: str) -> _Spellings:
    return _Spellings(text_from, names)


def _spellings(struct: type[Struct]) -> dict[str, _Spellings]:
    return {
        name: found
        for name, hint in get_annotations(struct).items()
        for found in getattr(hint, "__metadata__", ())
    }


def _clean(value: Any) -> Any:
    """Return a value, or None for a text, user, queue or number that says nothing."""
    if isinstance(value, User | Queue):
        return known(value)
    if isinstance(value, Named):
        return value.name or value.id or None
    return value or None if isinstance(value, str) else number_from(value)


class EventData(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """The `data` of an event: the conversation, who did it, and in subclasses what the event adds.

    `spellings` are those of the fields that the fact is made of. `by` are the names that who did it
    may have, besides author and actor.
    """

    spellings: ClassVar[dict[str, _Spellings]] = {}
    by: ClassVar[tuple[str, ...]] = ()

    conversation: Raw = _UNREAD  # but for its snapshot
    author: User | None = None

    def __init_subclass__(cls) -> None:
        """Collect the spellings."""
        cls.spellings = cls.spellings | _spellings(cls)

    @classmethod
    def read(cls, value: object) -> Self:
        """Read `data` in any spelling; this never fails."""
        fields = Fields(_without_destination(value))
        author = fields.find(user_from, *with_ids("author", "actor", *cls.by))
        return cls(**{"author": author} | cls.find(fields))

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        """Find what the fact is made of."""
        places = cls.places(fields)
        found = {}
        for name, (read, names) in cls.spellings.items():
            values = (place.find(read, *names) for place in places)
            found[name] = next((value for value in values if value is not None), None)
        return found

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        """Return where the fields may stand, best first."""
        return (fields,)

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        """Make the fact, whose class is `make`; what the event does not name may be `shown`."""
        return make(**{name: _clean(getattr(self, name)) for name in self.spellings})

    def actor(self, fqn: str) -> User | None:
        """Return who did what the event is about."""
        return known(self.author)


def _without_destination(value: object) -> object:
    """Name the destination, as the REST API calls it, by what it is: an agent or a queue."""
    fields = Fields(value)
    kind = (fields.find(text_from, "destinationtype") or "").casefold()
    if kind not in ("agent", "queue") or not isinstance(value, dict):
        return value
    to = {"id": fields.get("destinationid"), "name": fields.get("destinationlabel")}
    return {**value, f"to_{kind}": to}


class UnknownData(EventData, frozen=True):
    """Of an event that is not in the catalogue."""

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(fqn=fqn)


class StatusData(EventData, frozen=True):
    """Of a change of status."""

    by = ("closedby", "openedby", "pendingbyuser", "user", "agent")


_NewAgent = Annotated[User | None, _user("agent", "assignee", "newagent", "assignedto", "toagent")]
_NewQueue = Annotated[Queue | None, _queue("queue", "newqueue", "toqueue")]


class AgentData(EventData, frozen=True):
    """Of an assignment: who gets the conversation."""

    by = ("assignedby", "user")

    agent: _NewAgent = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(agent=in_full(self.agent, shown.assignee))


class UnassignedData(EventData, frozen=True):
    """Of an unassignment: from whom the conversation is taken."""

    by = ("unassignedby", "user")

    agent: Annotated[User | None, _user("agent", "assignee", "oldagent", "previousagent")] = None


class QueueData(EventData, frozen=True):
    """Of an event about a queue."""

    queue: _NewQueue = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(queue=in_full(self.queue, shown.queue))


class TransferData(EventData, frozen=True):
    """Of a transfer: to whom, or into which queue; where both are named, into the queue."""

    by = ("transferredby", "user")

    agent: _NewAgent = None
    queue: _NewQueue = None
    destination_type: Annotated[str | None, _text("destinationtype")] = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        to, agent = self._destination(fqn), known(self.agent)
        if to == "agent" or (to != "queue" and agent and not known(self.queue)):
            return TransferredToAgent(agent=in_full(self.agent, shown.assignee))
        return TransferredToQueue(queue=in_full(self.queue, shown.queue))

    def actor(self, fqn: str) -> User | None:
        """Return who transferred it: of a transfer to a queue, the agent beside that."""
        agent = self.agent if self._destination(fqn) == "queue" else None
        return known(self.author) or known(agent)

    def _destination(self, fqn: str) -> str:
        """Return `agent` or `queue` where the name of the event or its data says so."""
        return (
            spelling(fqn).partition("transferredto")[2] or (self.destination_type or "").casefold()
        )


class FollowUpExpiredData(EventData, frozen=True):
    """Of a follow-up that expired: who had added it."""

    user: Annotated[User | None, _user("pendingbyuser", "pendingby")] = field(
        default=None, name="pendingByUser"
    )


def _content_from(value: object) -> str | None:
    """Read the text of a message from its content."""
    return Fields(value).find(text_from, "text") if isinstance(value, dict) else text_from(value)


class MessageData(EventData, frozen=True):
    """Of a message; the text stands in its content too."""

    author: Annotated[User | None, _user("author", "actor", "user", "sender")] = None
    message_id: Annotated[str | None, _text("messageid", "id")] = None
    direction: Annotated[str | None, _text("direction")] = None
    channel: Annotated[str | None, _text("channel")] = None
    text: Annotated[str | None, _text("text", "body")] = None
    content: Annotated[Any, _Spellings(as_it_came(_content_from), ("content",))] = None
    attachments: Annotated[Any, _Spellings(attachments_from, ("attachments", "files"))] = None
    created_at: Raw = _UNREAD
    external_id: Raw = _UNREAD

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        return (fields.inside("message"), fields)

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(
            direction=(self.direction or "").casefold() or None,
            author=known(self.author),
            message_id=self.message_id or None,
            channel=self.channel or None,
            text=self.text or _content_from(self.content),
            attachments=attachments_from(self.attachments),
        )


class NoteData(EventData, frozen=True):
    """Of an internal note."""

    author: Annotated[User | None, _user("author", "actor")] = None
    note_id: Annotated[str | None, _text("noteid", "id")] = None
    text: Annotated[str | None, _text("text", "body", "note", "message")] = None
    created_at: Raw = _UNREAD


class TagData(EventData, frozen=True):
    """Of a tag added or removed."""

    tag: Annotated[Named | str | None, _text("tag", "tagname")] = None


class RatedData(EventData, frozen=True):
    """Of a rating, or of a comment on one; a published sample nests it in the conversation."""

    agent: Annotated[User | None, _user("agent")] = None
    score: Annotated[
        int | float | None, _Spellings(score_from, ("score", "ratingscore", "rating"))
    ] = None
    comment: Annotated[str | None, _text("comment", "ratingcomment", "message")] = None
    type: Annotated[str | None, _text("type", "ratingtype")] = None

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        return (fields, Fields(fields.get("rating")), Fields(fields.get("conversation")))


class AttributesData(EventData, frozen=True):
    """Of a change of custom attributes."""

    custom_attributes: Annotated[
        Any,
        _Spellings(
            as_it_came(attributes_from),
            ("customattributes", "attributes", "customattribute", "attribute"),
        ),
    ] = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        values = attributes_from(self.custom_attributes)
        if values is None:
            values = shown.custom_attributes or {}
        return make(values=values)


class ReplacedData(EventData, frozen=True):
    """Of an end user replaced by another."""

    new_user: Annotated[
        User | None, _user("newuser", "newenduser", "newrequester", "enduser", "user")
    ] = None
    old_user: Annotated[
        User | None, _user("olduser", "oldenduser", "oldrequester", "previoususer")
    ] = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        new = in_full(self.new_user, shown.requester)
        return make(new=new, old=_clean(self.old_user))


def _metric_from(value: object) -> str | None:
    return text_from(value) or Fields(value).find(text_from, "type")


_DEADLINE = (
    *("deadline", "deadlineat", "dueat", "duedate", "breachat", "breachesat", "breachtime"),
    *("targettime", "targetat", "expiresat"),
)


class Evaluation(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """An SLA evaluation."""

    id: Annotated[str | None, _text("id", "evaluationid", "slaevaluationid", "slaid")] = None
    policy: Annotated[
        Named | str | None,
        _text("policy", "slapolicy", "policyname", "slapolicyname", "policyid", "name"),
    ] = None
    metric: Annotated[
        str | None, _Spellings(_metric_from, ("metric", "metrictype", "slametric", "type"))
    ] = None
    deadline: Annotated[Any, _Spellings(time_from, _DEADLINE)] = None


class SlaData(EventData, frozen=True):
    """Of an SLA evaluation that began or reached an outcome."""

    spellings = _spellings(Evaluation)

    sla_evaluation: Evaluation | None = None

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        return (fields.inside("slaevaluation", "evaluation", "sla"),)

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        return {"sla_evaluation": Evaluation(**super().find(fields))}

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        sla = self.sla_evaluation or Evaluation()
        texts = {name: _clean(getattr(sla, name)) for name in ("id", "policy", "metric")}
        return make(deadline=time_from(sla.deadline), **texts)


class ByAgentData(EventData, frozen=True):
    """Of what an agent did, unless somebody else is named as the author."""

    by: ClassVar[tuple[str, ...]] = ("agent", "bannedby", "unbannedby")

    agent: User | None = None

    def actor(self, fqn: str) -> User | None:
        return known(self.author) or known(self.agent)


class TypingData(ByAgentData, frozen=True):
    """Of an agent who types."""

    by = ("agent", "user")

    agent: Annotated[User | None, _user("agent")] = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(agent=_clean(self.agent) or _clean(self.author))


class EndUserBanData(ByAgentData, frozen=True):
    """Of a ban on an end user: named, or else the requester of the conversation shown."""

    enduser: Annotated[
        User | None,
        _user("enduser", "user", "contact", "requester", "banneduser", "bannedenduser", "customer"),
    ] = None

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(user=_clean(self.enduser) or shown.requester)


class IpBanData(ByAgentData, frozen=True):
    """Of a ban on an IP address."""

    by = ("agent", "bannedby", "unbannedby", "user")

    ip: Annotated[str | None, _text("ip", "ipaddress", "bannedip", "address", "value")] = None

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        return (fields.inside("ip", "ipaddress", "bannedip"),)

    def fact(self, make: Make, fqn: str, shown: Snapshot) -> AnyFact:
        return make(address=address_from(self.ip or ""))


class DeliveryData(EventData, frozen=True):
    """Of the fate of an outbound message."""

    message_id: Annotated[str | None, _text("messageid", "id")] = None

    @classmethod
    def places(cls, fields: Fields) -> Sequence[Fields]:
        return (fields.inside("message"), fields)
