"""The truth about one conversation, written down while it happens.

Nothing here is derived from webhooks: whoever acts says what is true from now on, and clocks run
while a status, a wait in a queue or the work of an agent lasts.
"""

from typing import Any

from dixa_state.simulate.cast import Document, Named, Person
from dixa_state.simulate.heard import Heard
from dixa_state.simulate.times import SECOND, written

_LIVE = ("open", "pending")
_DIXA = {"open": "OPEN", "pending": "PENDING", "closed": "CLOSED", "abandoned": "CLOSED"}


class Stopwatch:
    """Time that adds up while it runs."""

    __slots__ = ("_since", "_total", "used")

    def __init__(self) -> None:
        self._since: int | None = None
        self._total = 0
        self.used = False

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._since is not None

    def start(self, at: int) -> None:
        """Let it run, if it does not."""
        if self._since is None:
            self._since, self.used = at, True

    def stop(self, at: int) -> None:
        """Stop it, if it runs."""
        if self._since is not None:
            self._total += at - self._since
            self._since = None

    def seconds(self, end: int) -> float:
        """Give the time until `end`."""
        running = 0 if self._since is None else end - self._since
        return (self._total + running) / SECOND


class Evaluation:
    """An SLA evaluation: what was promised until when, and what became of it."""

    __slots__ = ("deadline", "id", "metric", "policy", "since", "status")

    def __init__(self, identifier: str, policy: Named, metric: str, at: int, deadline: int) -> None:
        self.id = identifier
        self.policy = policy
        self.metric = metric
        self.status = "pending"
        self.since = at
        self.deadline = deadline


class Truth:
    """What is true of a conversation now, and what was."""

    def __init__(  # noqa: PLR0913 — all that never changes afterwards
        self,
        *,
        csid: int,
        channel: str,
        direction: str,
        contact_point: str,
        subject: str | None,
        requester: Person,
        at: int,
    ) -> None:
        self.csid = csid
        self.channel = channel
        self.direction = direction
        self.contact_point = contact_point
        self.subject = subject
        self.created_at = at
        self.requester = requester
        self.assignee: Person | None = None
        self.assigned_at: int | None = None
        self.queue: Named | None = None
        self.enqueued_at: int | None = None
        self.tags: dict[str, Named] = {}
        self.attributes: dict[str, Any] = {}
        self.sla: list[Evaluation] = []
        self.rating: Document | None = None
        self.status = ""
        self.since = at
        self.transitions: list[Document] = []
        self.heard = Heard()
        self.events = self.inbound = self.outbound = self.notes = self.typing = 0
        self.transfers = self.reopens = self.assignments = self.failed = 0
        self.asked_at: int | None = None
        self.answered_at: int | None = None
        self.first_response: int | None = None
        self.first_assigned_at: int | None = None
        self.closed_at: list[int] = []
        self.last_message_at: int | None = None
        self.last_customer_message_at: int | None = None
        self.last_event_at = at
        self.queue_time = Stopwatch()
        self.work_time = Stopwatch()
        self.status_times = {status: Stopwatch() for status in _DIXA}

    def move(self, status: str, at: int, event: str, event_id: str) -> None:
        """Enter a status that it does not have."""
        self._transit(status, at, event, event_id)
        self.status, self.since = status, at
        self.status_times[status].start(at)
        if status in _LIVE:
            self._resume(at)
            return
        self.queue_time.stop(at)
        self.work_time.stop(at)
        if status == "closed":
            self.closed_at.append(at)

    def _transit(self, status: str, at: int, event: str, event_id: str) -> None:
        before, since = self.status or None, self.since
        if before:
            self.status_times[before].stop(at)
            self.reopens += before not in _LIVE and status == "open"
        self.transitions.append(
            {
                "sequence": len(self.transitions) + 1,
                "from": before,
                "to": status,
                "at": written(at),
                "event_id": event_id,
                "event": event,
                "seconds_in_previous": (at - since) / SECOND if before else None,
            }
        )

    def hold(self, agent: Person, at: int) -> None:
        """Belong to an agent from now on; whoever has it keeps it."""
        if agent is self.assignee:
            return
        self.assignee, self.assigned_at = agent, at
        self.assignments += 1
        if self.first_assigned_at is None:
            self.first_assigned_at = at
        self.queue_time.stop(at)
        self._resume(at)

    def release(self, at: int) -> None:
        """Belong to no agent."""
        self.assignee = self.assigned_at = None
        self.work_time.stop(at)

    def wait(self, queue: Named, at: int) -> None:
        """Begin to wait in a queue."""
        self.queue, self.enqueued_at = queue, at
        self.queue_time.start(at)

    def pass_on(self, queue: Named, at: int) -> None:
        """Be transferred to a queue: whatever wait there was is over, the next has not begun."""
        self.queue = queue
        self.transfers += 1
        self.queue_time.stop(at)

    def ask(self, at: int) -> None:
        """Get a message from the customer."""
        self.inbound += 1
        self.last_message_at = self.last_customer_message_at = at
        if self.asked_at is None:
            self.asked_at = at

    def answer(self, at: int, *, human: bool) -> None:
        """Get a message to the customer; only that of a human answers."""
        self.outbound += 1
        self.last_message_at = at
        if not human or self.asked_at is None:
            return
        if self.answered_at is None and self.direction == "INBOUND":
            self.answered_at, self.first_response = at, at - self.asked_at
        self.asked_at = None

    @property
    def dixa_status(self) -> str:
        """The status in Dixa's words, which know no abandonment."""
        return _DIXA[self.status]

    def _resume(self, at: int) -> None:
        if self.assignee is not None and self.status in _LIVE:
            self.work_time.start(at)
