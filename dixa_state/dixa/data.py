"""What the `data` of each event holds, and the fact that it makes.

Each struct is read in two ways, which a property holds equal. A body spelled as Dixa documents it
is decoded by msgspec straight into the struct, in a few microseconds; any name that is not a field
here fails that, since it may be another spelling of one. Every other body goes through `find`,
which names the spellings that are accepted. The fact is made in one place, `fact`.

Source: Dixa's documentation, page *Webhook payloads*, and published samples. Most `data` is not
published; the names in `find` are what Dixa's REST API and symmetry suggest.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType, field

from dixa_state.dixa.fields import (
    Fields,
    attribute_ids_from,
    attributes_from,
    number_from,
    queue_from,
    scalar_from,
    spelling,
    time_from,
    user_from,
)
from dixa_state.domain.events import (
    AnyFact,
    Queue,
    Snapshot,
    TransferredToAgent,
    TransferredToQueue,
    User,
)

N = TypeVar("N", User, Queue)

_UNREAD = Raw()  # documented, and read by no fact

Make = Callable[..., AnyFact]
Names = Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]


class Named(Struct, frozen=True):
    """What goes by an id and a name: an organization, a tag, an SLA policy."""

    id: str | None = None
    name: str | None = None


class ConversationData(Struct, frozen=True, forbid_unknown_fields=True):
    """The conversation as Dixa saw it; what is missing is hidden, which null is not."""

    csid: Any = None
    status: str | None = None
    channel: str | None = None
    direction: str | None = None
    contact_point: str | None = None
    created_at: str | None = None
    requester: User | None = None
    assignee: User | UnsetType | None = UNSET
    queue: Queue | UnsetType | None = UNSET
    subject: str | None = None
    tags: tuple[Named | str, ...] | None = None
    custom_attributes: Any = None

    @property
    def snapshot(self) -> Snapshot:
        """What the fold reads of it."""
        tags, attributes = self.tags, self.custom_attributes
        return Snapshot(
            status=self.status,
            channel=self.channel,
            direction=self.direction,
            contact_point=self.contact_point,
            created_at=time_from(self.created_at),
            requester=_clean(self.requester),
            assignee=_shown(self.assignee),
            queue=_shown(self.queue),
            subject=self.subject,
            tags=None if tags is None else _tag_names(tags),
            tag_ids=_tag_ids(tags) if tags else {},
            custom_attributes=attributes_from(attributes),
            attribute_ids=attribute_ids_from(attributes) if attributes else {},
        )


_HIDDEN = ConversationData()


def conversation_from(value: object) -> ConversationData | None:
    """Read a conversation in any spelling."""
    if not isinstance(value, dict):
        return None
    fields = Fields(value)
    requester, tags = fields.get("requester"), fields.get("tags")
    return ConversationData(
        csid=csid_from(fields),
        status=fields.scalar("status"),
        channel=fields.scalar("channel"),
        direction=fields.scalar("direction"),
        contact_point=fields.scalar("contactpoint"),
        created_at=fields.scalar("createdat"),
        requester=user_from(requester) if isinstance(requester, dict) else None,
        assignee=_part(fields.get("assignee", UNSET), user_from),
        queue=_part(fields.get("queue", UNSET), queue_from),
        subject=fields.scalar("subject"),
        tags=tuple(map(_tag_from, tags)) if isinstance(tags, list) else None,
        custom_attributes=fields.get("customattributes"),
    )


def _part(value: object, read: Callable[[object], N | None]) -> N | UnsetType | None:
    """Read what is null where there is none; anything but an object hides it."""
    if value is None:
        return None
    return (read(value) if isinstance(value, dict) else None) or UNSET


def csid_from(conversation: Fields) -> object:
    """Return the number of a conversation as it came."""
    return conversation.first(lambda value: value, "csid", "id")


def _tag_names(tags: Iterable[Named | str]) -> frozenset[str] | None:
    """Return the names; unless all tags have one, the body does not show which there are."""
    names = [tag if isinstance(tag, str) else tag.name for tag in tags]
    return frozenset(name for name in names if name) if all(names) else None


def _tag_ids(tags: Iterable[Named | str]) -> dict[str, str]:
    named = (tag for tag in tags if isinstance(tag, Named))
    return {tag.name: tag.id for tag in named if tag.name and tag.id}


def _tag_from(value: object) -> Named | str:
    if isinstance(value, dict):
        return Named(scalar_from(value.get("id")), scalar_from(value.get("name")))
    return scalar_from(value) or ""


def _shown(found: N | UnsetType | None) -> N | UnsetType | None:
    """Return what a conversation shows; what cannot be identified is as good as hidden."""
    if found is None or isinstance(found, UnsetType):
        return found
    return found if found.key else UNSET


def _in_full(named: N | None, shown: N | UnsetType | None) -> N | UnsetType | None:
    """Return what an event names: as its conversation shows it, where the event has an id alone."""
    named, shown = _clean(named), _shown(shown)
    if named is None:
        return shown
    if isinstance(shown, UnsetType) or shown is None or shown.key != named.key:
        return named
    return shown if named.name is None else named


def _known(found: N | None) -> N | None:
    return found if found is not None and found.key else None


def _clean(value: Any) -> Any:
    """Return a value, or None for a text, user, queue or number that says nothing."""
    if isinstance(value, User | Queue):
        return _known(value)
    if isinstance(value, Named):
        return value.name or value.id or None
    return value or None if isinstance(value, str) else number_from(value)


class EventData(Struct, frozen=True, forbid_unknown_fields=True):
    """The `data` of an event: the conversation, who did it, and in subclasses what the event adds.

    `names` has the fields that the fact is made of, each with how it is read and the names that it
    may have in a body that is not spelled as documented, as `spelling` reduces them. `by` are the
    names that who did it may have, besides author and actor.
    """

    names: ClassVar[Names] = {}
    by: ClassVar[tuple[str, ...]] = ()

    conversation: ConversationData | None = None
    author: User | None = None

    @classmethod
    def read(cls, value: object) -> Self:
        """Read `data` in any spelling; this never fails."""
        fields = Fields(value)
        conversation = conversation_from(fields.get("conversation"))
        author = fields.user("author", "actor", *cls.by)
        return cls(**{"conversation": conversation, "author": author} | cls.find(fields))

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        """Find what the fact is made of."""
        return {field: read(fields, *names) for field, (read, names) in cls.names.items()}

    def fact(self, make: Make, fqn: str) -> AnyFact:
        """Make the fact; `make` is its class."""
        return make(**{field: _clean(getattr(self, field)) for field in self.names})

    @property
    def shown(self) -> ConversationData:
        """The conversation, or one that shows nothing."""
        return self.conversation or _HIDDEN

    @property
    def actor(self) -> User | None:
        """Who did what the event is about."""
        return _known(self.author)


class UnknownData(EventData, frozen=True):
    """Of an event that is not in the catalogue."""

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(fqn=fqn)


class StatusData(EventData, frozen=True):
    """Of a change of status."""

    by = ("closedby", "openedby", "pendingbyuser", "user", "agent")


class AgentData(EventData, frozen=True):
    """Of an assignment: who gets the conversation."""

    names = {"agent": (Fields.user, ("agent", "assignee", "newagent", "assignedto"))}
    by = ("assignedby", "user")

    agent: User | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        named = super().find(fields)["agent"]
        return {"agent": named or user_from(_destination(fields, "agent"))}

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(agent=_in_full(self.agent, self.shown.assignee))


class UnassignedData(EventData, frozen=True):
    """Of an unassignment: from whom the conversation is taken."""

    names = {"agent": (Fields.user, ("agent", "assignee", "oldagent", "previousagent"))}
    by = ("unassignedby", "user")

    agent: User | None = None


class QueueData(EventData, frozen=True):
    """Of an event about a queue."""

    names = {"queue": (Fields.queue, ("queue", "newqueue", "toqueue"))}

    queue: Queue | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        named = super().find(fields)["queue"]
        return {"queue": named or queue_from(_destination(fields, "queue"))}

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(queue=_in_full(self.queue, self.shown.queue))


class TransferData(EventData, frozen=True):
    """Of a transfer; the REST API calls where it goes a destination."""

    by = ("transferredby", "user")

    agent: User | None = None
    queue: Queue | None = None
    destination_type: str | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        to = {"destination_type": fields.text("destinationtype")}
        return to | AgentData.find(fields) | QueueData.find(fields)

    def fact(self, make: Make, fqn: str) -> AnyFact:
        name, to = spelling(fqn), (self.destination_type or "").casefold()
        to_queue = name.endswith("toqueue") or to == "queue" or not _clean(self.agent)
        if name.endswith("toagent") or to == "agent" or not to_queue:
            return TransferredToAgent(agent=_in_full(self.agent, self.shown.assignee))
        return TransferredToQueue(queue=_in_full(self.queue, self.shown.queue))


def _destination(fields: Fields, kind: str) -> dict[str, str | None] | None:
    if (fields.text("destinationtype") or "").casefold() != kind:
        return None
    return {"id": fields.text("destinationid"), "name": fields.text("destinationlabel")}


class FollowUpExpiredData(EventData, frozen=True):
    """Of a follow-up that expired: who had added it."""

    names = {"user": (Fields.user, ("pendingbyuser", "pendingby"))}

    user: User | None = field(default=None, name="pendingByUser")


class MessageData(EventData, frozen=True):
    """Of a message."""

    names = {
        "author": (Fields.user, ("author", "actor", "user", "sender")),
        "message_id": (Fields.text, ("messageid", "id")),
        "direction": (Fields.text, ("direction",)),
    }

    message_id: str | None = None
    direction: str | None = None
    text: Raw = _UNREAD
    created_at: Raw = _UNREAD
    channel: Raw = _UNREAD
    content: Raw = _UNREAD
    attachments: Raw = _UNREAD
    external_id: Raw = _UNREAD

    def fact(self, make: Make, fqn: str) -> AnyFact:
        direction = (self.direction or "").casefold() or None
        return make(direction=direction, author=self.actor, message_id=_clean(self.message_id))


class NoteData(EventData, frozen=True):
    """Of an internal note."""

    names = {"author": (Fields.user, ("author", "actor"))}

    note_id: Raw = _UNREAD
    text: Raw = _UNREAD
    created_at: Raw = _UNREAD


class TagData(EventData, frozen=True):
    """Of a tag added or removed."""

    names = {"tag": (Fields.text, ("tag", "tagname"))}

    tag: Named | str | None = None


class RatedData(EventData, frozen=True):
    """Of a rating, or of a comment on one; a published sample nests it in the conversation."""

    names = {
        "agent": (Fields.user, ("agent",)),
        "score": (Fields.number, ("score", "ratingscore", "rating")),
        "comment": (Fields.text, ("comment", "ratingcomment", "message")),
        "type": (Fields.text, ("type", "ratingtype")),
    }

    agent: User | None = None
    score: int | float | None = None
    comment: str | None = None
    type: str | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        found, nested = super().find(fields), Fields(fields.get("conversation"))
        if found["score"] is None:
            found["score"] = nested.number("score")
        found["comment"] = found["comment"] or nested.text("comment")
        found["type"] = found["type"] or nested.text("type")
        return found


class AttributesData(EventData, frozen=True):
    """Of a change of custom attributes."""

    names = {
        "custom_attributes": (
            Fields.attributes,
            ("customattributes", "attributes", "customattribute", "attribute"),
        )
    }

    custom_attributes: Any = None

    def fact(self, make: Make, fqn: str) -> AnyFact:
        values = attributes_from(self.custom_attributes)
        if values is None:
            values = attributes_from(self.shown.custom_attributes) or {}
        return make(values=values)


class ReplacedData(EventData, frozen=True):
    """Of an end user replaced by another."""

    names = {
        "new_user": (Fields.user, ("newuser", "newenduser", "newrequester", "enduser", "user")),
        "old_user": (Fields.user, ("olduser", "oldenduser", "oldrequester", "previoususer")),
    }

    new_user: User | None = None
    old_user: User | None = None

    def fact(self, make: Make, fqn: str) -> AnyFact:
        new = _in_full(self.new_user, _clean(self.shown.requester))
        return make(new=new, old=_clean(self.old_user))


class Evaluation(Struct, frozen=True, forbid_unknown_fields=True):
    """An SLA evaluation."""

    names: ClassVar[Names] = {
        "id": (Fields.text, ("id", "evaluationid", "slaevaluationid", "slaid")),
        "policy": (Fields.text, ("policy", "slapolicy", "policyname", "policyid", "name")),
        "metric": (Fields.text, ("metric", "metrictype", "slametric", "type")),
        "deadline": (
            Fields.time,
            ("deadline", "dueat", "breachat", "deadlineat", "targettime"),
        ),
    }

    id: str | None = None
    policy: Named | str | None = None
    metric: Named | str | None = None
    deadline: str | None = None


class SlaData(EventData, frozen=True):
    """Of an SLA evaluation that began or reached an outcome."""

    sla_evaluation: Evaluation | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        sla = fields.inside("slaevaluation", "evaluation", "sla")
        found = {field: read(sla, *names) for field, (read, names) in Evaluation.names.items()}
        return {"sla_evaluation": Evaluation(**found)}

    def fact(self, make: Make, fqn: str) -> AnyFact:
        sla = self.sla_evaluation or Evaluation()
        return make(
            id=_clean(sla.id),
            policy=_clean(sla.policy),
            metric=_clean(sla.metric),
            deadline=time_from(sla.deadline),
        )


class ByAgentData(EventData, frozen=True):
    """Of what an agent did, unless somebody else is named as the author."""

    by: ClassVar[tuple[str, ...]] = ("agent", "bannedby", "unbannedby")

    agent: User | None = None

    @property
    def actor(self) -> User | None:
        return _known(self.author) or _known(self.agent)


class TypingData(ByAgentData, frozen=True):
    """Of an agent who types."""

    names = {"agent": (Fields.user, ("agent",))}
    by = ("agent", "user")

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(agent=_clean(self.agent) or _clean(self.author))


class EndUserBanData(ByAgentData, frozen=True):
    """Of a ban on an end user: named, or else the requester of the conversation shown."""

    names = {"enduser": (Fields.user, ("enduser", "user", "contact", "requester"))}

    enduser: User | None = None

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(user=_clean(self.enduser) or _clean(self.shown.requester))


class IpBanData(ByAgentData, frozen=True):
    """Of a ban on an IP address."""

    by = ("agent", "bannedby", "unbannedby", "user")

    ip: str | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        place = fields.inside("ip", "ipaddress")
        return {"ip": place.text("ip", "ipaddress", "address", "value")}

    def fact(self, make: Make, fqn: str) -> AnyFact:
        return make(address=(self.ip or "").strip().casefold() or None)


class DeliveryData(EventData, frozen=True):
    """Of the fate of an outbound message."""

    names = {"message_id": (Fields.text, ("messageid",))}

    message_id: str | None = None

    @classmethod
    def find(cls, fields: Fields) -> dict[str, Any]:
        nested = fields.inside("message").text("messageid", "id")
        return {"message_id": fields.text("messageid") or nested}
