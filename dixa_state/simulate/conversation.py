"""Conversations and bans of the simulated desk: what is true of them, and the webhooks they send.

The truth is recorded when something happens, never derived from webhooks. Every method takes the
moment and sends one webhook, with the conversation as it is afterwards. Two of them may share a
millisecond only where the order of their kinds is documented.
"""

from collections.abc import Callable
from typing import Any

from dixa_state.simulate.data import (
    CHANNELS,
    ORGANIZATION,
    QUEUES,
    Document,
    attribute,
    fixed_id,
    truth_of,
)
from dixa_state.simulate.delivery import Received, Sent
from dixa_state.simulate.plan import SECOND, Chance, timestamp

_DIXA_STATUS = {"open": "OPEN", "pending": "PENDING", "closed": "CLOSED", "abandoned": "CLOSED"}
_LIVE = ("open", "pending")
_WORST_FIRST = ("breached", "pending", "achieved", "voided", "none")
_COUNTS = (
    *("events", "messages_inbound", "messages_outbound", "notes", "transfers", "reopens"),
    *("assignments", "irregular", "inferred", "typing", "deliveries_failed"),
)
_TIMES = (
    *("first_response_at", "first_assigned_at", "first_closed_at", "last_closed_at"),
    *("last_message_at", "last_customer_message_at", "last_event_at"),
)
_DURATIONS = (
    *("first_response", "first_resolution", "full_resolution", "queue_wait", "assigned"),
    *_DIXA_STATUS,
)
_SNAPSHOT = (
    *("csid", "channel", "status", "direction", "queue", "contact_point", "requester", "assignee"),
    *("subject", "tags", "created_at"),
)

Send = Callable[[Sent], object]


class Conversation:
    """A conversation as it truly is.

    `truth` has the fields of `status --json`; `closing_truth` completes it. `scheduled` counts the
    actions that are still to come.
    """

    def __init__(self, begin: Document, at: int, chance: Chance, send: Send) -> None:
        self.truth: Document = {
            "kind": "conversation",
            "organization_id": ORGANIZATION["id"],
            "status": None,
            "contact_point": CHANNELS[begin["channel"]].contact_point,
            "created_at": timestamp(at),
            **dict.fromkeys(("assignee", "assigned_at", "queue", "enqueued_at")),
            "custom_attributes": {},
            "sla": [],
            "ratings": [],
            "counts": dict.fromkeys(_COUNTS, 0),
            "times": {},
            "transitions": [],
            **begin,
        }
        self.channel = CHANNELS[begin["channel"]]
        self.tags: dict[str, Document] = {}
        self.has_sla_ids = True
        self.may_be_rated = True
        self.late_evaluations: list[Document] = []
        self.waiting = False
        self.scheduled = 0
        self.received = Received()
        self.last_event_at = at
        self._created_at = self._status_since = at
        self._asked_at: int | None = None
        self._durations: dict[str, int] = {}
        self._next_responses: list[float] = []
        self._running: dict[str, int] = {}
        self._chance = chance
        self._send = send

    @property
    def queue(self) -> Document:
        """The queue that it is in, or the first of all."""
        return self.truth["queue"] or QUEUES[0]

    def move(self, at: int, status: str, event: str, lag: int = 0, **data: Any) -> None:
        """Record another status; the webhook is sent after a lag."""
        truth, before, event_id = self.truth, self.truth["status"], self._chance.uuid()
        transition = {
            "sequence": len(truth["transitions"]) + 1,
            "from": before,
            "to": status,
            "at": timestamp(at),
            "event_id": event_id,
            "event": f"conversation.{event.lower()}",
            "seconds_in_previous": (at - self._status_since) / SECOND if before else None,
        }
        truth["transitions"].append(transition)
        truth["counts"]["reopens"] += before in ("closed", "abandoned")
        truth["status"], truth["dixa_status"] = status, _DIXA_STATUS[status]
        truth["status_since"], self._status_since = timestamp(at), at
        self._keep_time(at, before, status)
        self.send(at + lag, f"CONVERSATION_{event}", data, move=transition)

    def enqueue(self, at: int, queue: Document) -> None:
        """Begin to wait in a queue."""
        self.truth["queue"], self.truth["enqueued_at"] = queue, timestamp(at)
        self._start("queue_wait", at)
        self.send(at, "CONVERSATION_ENQUEUED", {"queue": queue})

    def assign(self, at: int, agent: Document) -> None:
        """Belong to an agent, who may have it already."""
        self._hold(at, agent)
        self.send(at, "CONVERSATION_ASSIGNED", {"agent": agent})

    def unassign(self, at: int, agent: Document) -> None:
        """Belong no longer to an agent, who may have transferred it already."""
        if agent is self.truth["assignee"]:
            self.truth["assignee"] = self.truth["assigned_at"] = None
            self._stop("assigned", at)
        self.send(at, "CONVERSATION_UNASSIGNED", {"agent": agent})

    def transfer(self, at: int, by: Document, *, terse: bool, **to: Document) -> None:
        """Belong to another `agent`, or to another `queue` without waiting there yet."""
        if "agent" in to:
            self._hold(at, to["agent"])
        else:
            self.truth["queue"] = to["queue"]
            self._stop("queue_wait", at)
        data = {} if terse else {**to, "author": by}
        self.send(at, "CONVERSATION_TRANSFERRED", data, counts="transfers")

    def ask(self, at: int, text: str) -> None:
        """Receive a message from the customer."""
        self.waiting = True
        self._asked_at = self._asked_at or at
        self.truth["times"]["last_customer_message_at"] = timestamp(at)
        self._message(at, text, self.truth["requester"], "inbound")

    def answer(self, at: int, text: str, author: Document) -> str:
        """Send a message to the customer and return its id; only a human's is a response."""
        if author["user_type"] == "Member":
            self.waiting = False
            first = self.truth["direction"] == "INBOUND" and "first_response" not in self._durations
            if self._asked_at and first:
                self._durations["first_response"] = at - self._asked_at
                self.truth["times"]["first_response_at"] = timestamp(at)
            elif self._asked_at:
                self._next_responses.append((at - self._asked_at) / SECOND)
            self._asked_at = None
        return self._message(at, text, author, "outbound")

    def tag(self, at: int, tag: Document) -> None:
        """Add a tag."""
        self.tags[tag["name"]] = tag
        data = {"tag": tag["name"], "author": self.truth["assignee"]}
        self.send(at, "CONVERSATION_TAG_ADDED", data)

    def untag(self, at: int, name: str) -> None:
        """Remove a tag."""
        del self.tags[name]
        data = {"tag": name, "author": self.truth["assignee"]}
        self.send(at, "CONVERSATION_TAG_REMOVED", data)

    def running_evaluations(self) -> list[Document]:
        """Return the SLA evaluations whose outcome is open."""
        return [item for item in self.truth["sla"] if item["status"] == "pending"]

    def evaluate(self, at: int, evaluation: Document, status: str) -> None:
        """Begin an SLA evaluation, or end it; a breach sticks, whatever comes later."""
        if status == "pending":
            self.truth["sla"].append(evaluation)
        if evaluation.get("status") != "breached":
            evaluation.update(status=status, since=timestamp(at))
        names = ("id", "policy", "metric", "deadline")
        data = {name: evaluation[name] for name in names if evaluation[name]}
        data["policy"] = {"id": fixed_id(evaluation["policy"]), "name": evaluation["policy"]}
        self.send(at, f"SLA_EVALUATION_{status.upper()}", {"sla_evaluation": data})

    def send(self, at: int, fqn: str, data: Document, counts: str = "", move: Any = None) -> None:
        """Send a webhook; count it, and what it is about; `move` is the transition it reports."""
        for name in filter(None, ("events", counts)):
            self.truth["counts"][name] += 1
        self.last_event_at = max(at, self.last_event_at)
        self.truth["times"]["last_event_at"] = timestamp(self.last_event_at)
        event_id = move["event_id"] if move else self._chance.uuid()
        body = webhook_body(event_id, fqn, at, {"conversation": self._snapshot(), **data})
        self._send(Sent(at, body, self.received, self.truth["status"], move))

    def closing_truth(self, end: int) -> Document:
        """Return what is true at the end of the simulation."""
        for name in list(self._running):
            self._stop(name, end)
        truth, seconds = self.truth, {name: ms / SECOND for name, ms in self._durations.items()}
        outcomes = {item["status"] for item in truth["sla"]} | {"none"}
        return {
            **truth,
            "requester": truth_of(truth["requester"]),
            "assignee": truth["assignee"] and truth_of(truth["assignee"]),
            "tags": sorted(self.tags),
            "custom_attributes": dict(sorted(truth["custom_attributes"].items())),
            "sla_status": next(word for word in _WORST_FIRST if word in outcomes),
            "times": {name: truth["times"].get(name) for name in _TIMES},
            "durations": {
                **{name: seconds.get(name) for name in _DURATIONS},
                "next_responses": self._next_responses,
                **{status: seconds.get(status, 0.0) for status in _DIXA_STATUS},
            },
            "version": truth["counts"]["events"],
            "as_of": timestamp(end),
            **self.received.truth(truth["transitions"][-1]["event_id"]),
        }

    def _keep_time(self, at: int, before: str | None, status: str) -> None:
        self._stop(before or "", at)
        self._start(status, at)
        if status in _LIVE:
            self._resume_work(at)
        else:
            self._stop("queue_wait", at)
            self._stop("assigned", at)
        if status == "closed":
            self._durations.setdefault("first_resolution", at - self._created_at)
            self._durations["full_resolution"] = at - self._created_at
            self.truth["times"].setdefault("first_closed_at", timestamp(at))
            self.truth["times"]["last_closed_at"] = timestamp(at)

    def _start(self, name: str, at: int) -> None:
        self._running.setdefault(name, at)
        self._durations.setdefault(name, 0)

    def _stop(self, name: str, at: int) -> None:
        if name in self._running:
            self._durations[name] += at - self._running.pop(name)

    def _hold(self, at: int, agent: Document) -> None:
        if agent is self.truth["assignee"]:
            return
        self.truth["assignee"], self.truth["assigned_at"] = agent, timestamp(at)
        self.truth["counts"]["assignments"] += 1
        self.truth["times"].setdefault("first_assigned_at", timestamp(at))
        self._stop("queue_wait", at)
        self._resume_work(at)

    def _resume_work(self, at: int) -> None:
        if self.truth["assignee"] and self.truth["status"] in _LIVE:
            self._start("assigned", at)

    def _message(self, at: int, text: str, author: Document, direction: str) -> str:
        self.truth["times"]["last_message_at"] = timestamp(at)
        content = {"text": text, "content_type": "Text"}
        urls = dict.fromkeys(("original_content_url", "processed_content_url"))
        data = {
            "message_id": self._chance.uuid(),
            "text": text,
            "created_at": timestamp(at),
            "direction": direction,
            "channel": self.truth["channel"],
            "author": author,
            "content": {**content, **urls},
            "attachments": [],
            "external_id": None,
        }
        self.send(at, "CONVERSATION_MESSAGE_ADDED", data, counts=f"messages_{direction}")
        return str(data["message_id"])

    def _snapshot(self) -> Document:
        truth = {**self.truth, "tags": list(self.tags.values())}
        shown = {name: truth[name] for name in _SNAPSHOT} | {"status": truth["dixa_status"]}
        if truth["custom_attributes"]:
            attributes = truth["custom_attributes"].items()
            shown["custom_attributes"] = [attribute(*item) for item in attributes]
        return shown


class Ban:
    """Whether an end user or an IP address is banned; `truth` as `bans --json --history` has it."""

    def __init__(self, kind: str, subject: str, user: Document | None, send: Send) -> None:
        self.truth: Document = {
            "kind": kind,
            "organization_id": ORGANIZATION["id"],
            "id": subject,
            "user": user and truth_of(user),
            "banned": False,
            "history": [],
        }
        self._shown = user or subject
        self._received = Received()
        self._at = 0
        self._send = send

    def change(self, at: int, agent: Document, event_id: str, *, banned: bool) -> None:
        """Ban or unban, where that changes anything."""
        truth, kind = self.truth, self.truth["kind"]
        if truth["banned"] == banned:
            return
        self._at = max(at, self._at + 1)
        when, by = timestamp(self._at), truth_of(agent)
        truth["history"].append({"banned": banned, "at": when, "by": by, "event_id": event_id})
        truth.update(banned=banned, since=when, by=by, version=len(truth["history"]))
        fqn = f"AGENT_{'BANNED' if banned else 'UNBANNED'}_{kind.upper()}"
        body = webhook_body(event_id, fqn, self._at, {kind: self._shown, "agent": agent})
        self._send(Sent(self._at, body, self._received))

    def closing_truth(self) -> Document:
        """Return what is true at the end of the simulation."""
        return {**self.truth, "dropped": self._received.dropped()}


def webhook_body(event_id: str, fqn: str, at: int, data: Document) -> Document:
    """Return a body in Dixa's envelope."""
    return {
        "event_id": event_id,
        "event_fqn": fqn,
        "event_version": "1",
        "event_timestamp": timestamp(at),
        "organization": ORGANIZATION,
        "data": data,
    }
