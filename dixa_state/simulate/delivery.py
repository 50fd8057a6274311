"""How webhooks are delivered: as Dixa writes them, late, out of order, repeatedly, or never."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from msgspec import json

from dixa_state.simulate.data import Document
from dixa_state.simulate.plan import HOUR, SECOND, Chance, Plan, moment, timestamp

GRACE = 10 * SECOND
"""How stale a snapshot may be; evidence of a missed change must be later than that."""

_ALWAYS_DELIVERED = "conversation.created"
_COPIES = {1: 80, 2: 15, 3: 5}
_COPY_AT_ONCE = 0.4


def pretty_json(body: Document) -> bytes:
    """Return a body as Dixa sends it: two-space indent, `"key" : value`, `[` newline `]`."""
    return _indented(body, "\n").encode()


def json_line(body: Document) -> bytes:
    """Return a body in one line, without the line feed."""
    return json.encode(body)


def _indented(value: object, line: str) -> str:
    inner = f"{line}  "
    match value:
        case dict():
            parts = [f'{inner}"{key}" : {_indented(each, inner)}' for key, each in value.items()]
            return f"{{{','.join(parts)}{line}}}"
        case list():
            return f"[{','.join(inner + _indented(each, inner) for each in value)}{line}]"
        case _:
            return json.encode(value).decode()


class Simulated(NamedTuple):
    """A body, and when it arrives."""

    at: datetime
    body: Document


@dataclass
class Lost:
    """A change of status whose webhook was never delivered.

    `revealed` says whether a delivered body shows that status, later than the grace after the
    change and after the last webhook about the status. Dixa shows abandoned as closed, so that
    nothing reveals an abandonment.
    """

    event_id: str
    event: str
    at: int
    to: str
    revealed: bool = False


class Received:
    """What can be known of a conversation's status from the webhooks that were delivered."""

    def __init__(self) -> None:
        self._status = ""
        self._at = 0
        self._lost: list[Lost] = []

    def change(self, status: str, at: int) -> None:
        """Receive a webhook about the status."""
        self._status, self._at = status, at

    def lose(self, lost: Lost) -> None:
        """Miss a webhook about the status."""
        self._lost.append(lost)

    def see(self, status: str, at: int) -> None:
        """Receive the status in the snapshot of another webhook."""
        shown = "closed" if status == "abandoned" else status
        if self._status in (status, shown):
            return
        last = self._lost[-1]
        if at - max(last.at, self._at) > GRACE:
            self.change(shown, at)
            last.revealed = last.to == shown

    def truth(self, last_change: Document) -> Document:
        """Return what was lost, and whether the last change, if that was lost, was revealed."""
        last = self._lost[-1] if self._lost else None
        dropped = [{**asdict(lost), "at": timestamp(lost.at)} for lost in self._lost]
        is_last = last is not None and last.event_id == last_change["event_id"]
        return {"dropped": dropped, "revealed": last.revealed if last and is_last else None}


class Webhook(NamedTuple):
    """A body to deliver, with the status that it shows, and the transition that it reports."""

    at: int
    body: Document
    received: Received | None = None
    status: str = ""
    transition: Document | None = None


class Delivery:
    """The webhooks under way, by their time of arrival."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # Chance of its own: how a simulation is delivered changes nothing of what happens in it.
        self._chance = Chance(f"delivery {plan.seed}")
        self._under_way: list[tuple[int, int, Document]] = []
        self._numbers = count()

    def send(self, webhook: Webhook) -> None:
        """Send a webhook on its way, and perhaps copies of it; or drop it."""
        if self._is_dropped(webhook):
            return
        arrival = webhook.at + int(self._chance.random() * self._plan.shuffle * SECOND)
        self._add(arrival, webhook.body)
        if self._chance.happens(self._plan.duplicates):
            for _ in range(self._chance.weighted(_COPIES)):
                at_once = self._chance.happens(_COPY_AT_ONCE)
                self._add(arrival + self._chance.randrange(50 if at_once else HOUR), webhook.body)

    def arrived(self, now: int | None = None) -> Iterator[Simulated]:
        """Yield what has arrived by now, or all that is under way."""
        while self._under_way and (now is None or self._under_way[0][0] <= now):
            arrival, _, body = heappop(self._under_way)
            yield Simulated(moment(arrival), body)

    def _add(self, arrival: int, body: Document) -> None:
        heappush(self._under_way, (arrival, next(self._numbers), body))

    def _is_dropped(self, webhook: Webhook) -> bool:
        received, transition = webhook.received, webhook.transition
        if received is None:
            return False
        if transition is None:
            received.see(webhook.status, webhook.at)
            return False
        if transition["event"] == _ALWAYS_DELIVERED or not self._chance.happens(self._plan.drop):
            received.change(webhook.status, webhook.at)
            return False
        event_id, event = transition["event_id"], transition["event"]
        received.lose(Lost(event_id, event, webhook.at, webhook.status))
        return True
