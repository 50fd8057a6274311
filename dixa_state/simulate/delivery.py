"""How webhooks are delivered: as Dixa writes them, late, out of order, repeatedly, or never."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from msgspec import json

from dixa_state.simulate.data import FIELDS, RESTORED, Document
from dixa_state.simulate.plan import HOUR, SECOND, Chance, Plan, moment, timestamp

GRACE = 10 * SECOND
"""How stale a snapshot may be; evidence of a missed change must be later than that."""

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
    """A webhook that was never delivered; `to` is the status that it reports, if it does.

    `revealed` says whether a delivered body shows that status, later than the grace after the
    change and after the last webhook about the status. Dixa shows abandoned as closed, so that
    nothing reveals an abandonment.
    """

    event_id: str
    event: str
    at: int
    to: str | None
    revealed: bool = False


class Received:
    """What can be known of a subject from the webhooks about it that were delivered."""

    def __init__(self) -> None:
        self._status = ""
        self._at = 0
        self._lost: list[Lost] = []
        self._certain: set[str] = set()
        self._uncertain: set[str] = set()

    def receive(self, webhook: "Sent") -> None:
        """Receive a webhook, and perhaps learn what a lost one reported."""
        status = webhook.status
        shown = "closed" if status == "abandoned" else status
        self._certain = set(FIELDS)
        self._uncertain.discard(RESTORED.get(webhook.body["event_fqn"], ""))
        last = next((lost for lost in reversed(self._lost) if lost.to), None)
        if webhook.move:
            self._status, self._at = status, webhook.at
        elif last and self._status not in (status, shown):
            age = webhook.at - max(last.at, self._at)
            # Where nothing is known of the status, the first snapshot decides.
            if age > GRACE or not self._status:
                self._status, self._at = shown, webhook.at
                last.revealed = last.to == shown

    def lose(self, webhook: "Sent") -> None:
        """Miss a webhook."""
        body, to = webhook.body, webhook.move["to"] if webhook.move else None
        self._lost.append(Lost(body["event_id"], body["event_fqn"], webhook.at, to))
        fqn = body["event_fqn"]
        self._uncertain.update(name for name in FIELDS if fqn.startswith(FIELDS[name]))

    def dropped(self) -> list[Document]:
        """Return what was lost."""
        return [{**asdict(lost), "at": timestamp(lost.at)} for lost in self._lost]

    def truth(self, last_move: str) -> Document:
        """Return what was lost, whether the last transition was, and which fields are certain."""
        revealed = {lost.event_id: lost.revealed for lost in self._lost}
        certain = sorted(self._certain - self._uncertain)
        return {
            "dropped": self.dropped(),
            "revealed": revealed.get(last_move),
            "certain": certain,
        }


class Sent(NamedTuple):
    """A webhook to deliver; `status` is the true one, `move` the transition that it reports."""

    at: int
    body: Document
    received: Received
    status: str = ""
    move: Document | None = None


class Delivery:
    """The webhooks under way, by their time of arrival."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # Chance of its own: how a simulation is delivered changes nothing of what happens in it.
        self._chance = Chance(f"delivery {plan.seed}")
        self._under_way: list[tuple[int, int, Document]] = []
        self._numbers = count()

    def send(self, webhook: Sent) -> None:
        """Send a webhook on its way, and perhaps copies of it; or lose it."""
        chance, plan, fqn = self._chance, self._plan, webhook.body["event_fqn"]
        if chance.happens(plan.drop) or (plan.only and fqn not in plan.only):
            webhook.received.lose(webhook)
            return
        webhook.received.receive(webhook)
        late = plan.late == 1 or chance.happens(plan.late)
        arrival = webhook.at + int(late * chance.random() * plan.shuffle * SECOND)
        self._add(arrival, webhook.body)
        if chance.happens(plan.duplicates):
            for _ in range(chance.weighted(_COPIES)):
                lag = 50 if chance.happens(_COPY_AT_ONCE) else HOUR
                self._add(arrival + chance.randrange(lag), webhook.body)

    def arrived(self, now: int | None = None) -> Iterator[Simulated]:
        """Yield what has arrived by now, or all that is under way."""
        while self._under_way and (now is None or self._under_way[0][0] <= now):
            arrival, _, body = heappop(self._under_way)
            yield Simulated(moment(arrival), body)

    def _add(self, arrival: int, body: Document) -> None:
        heappush(self._under_way, (arrival, next(self._numbers), body))
