"""How webhooks are delivered: late, out of order, more than once, or never."""

from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from dixa_state.simulate.dice import Dice, Weighted
from dixa_state.simulate.plan import Plan
from dixa_state.simulate.times import HOUR, SECOND, moment
from dixa_state.simulate.webhooks import Webhook

_ALWAYS_DELIVERED = "conversation.created"
_AT_ONCE = 0.4
_COPIES = Weighted({1: 80, 2: 15, 3: 5})


class Simulated(NamedTuple):
    """A body and when it arrives."""

    at: datetime
    body: bytes


class Delivery:
    """What is under way, by when it arrives; `number` keeps what arrives together in order."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._delay = int(plan.shuffle * SECOND)
        self._dice = Dice(f"delivery {plan.seed}")
        self._under_way: list[tuple[int, int, bytes]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._under_way)

    def take(self, webhook: Webhook) -> None:
        """Send a webhook on its way, or drop it."""
        if self._plan.drop and self._is_lost(webhook):
            return
        arrival = webhook.at + (int(self._dice.roll() * self._delay) if self._delay else 0)
        self._send(arrival, webhook.body)
        if self._plan.duplicates and self._dice.chance(self._plan.duplicates):
            for _ in range(_COPIES.pick(self._dice)):
                self._send(arrival + self._lag(), webhook.body)

    def due(self, now: int) -> Iterator[Simulated]:
        """Give what has arrived by now; nothing that happens later can arrive before it."""
        under_way = self._under_way
        while under_way and under_way[0][0] <= now:
            arrival, _, body = heappop(under_way)
            yield Simulated(moment(arrival), body)

    def rest(self) -> Iterator[Simulated]:
        """Give all that is still under way."""
        while self._under_way:
            yield from self.due(self._under_way[0][0])

    def _send(self, arrival: int, body: bytes) -> None:
        heappush(self._under_way, (arrival, next(self._numbers), body))

    def _lag(self) -> int:
        """Choose when a copy comes: at once, or within the hour."""
        if self._dice.chance(_AT_ONCE):
            return self._dice.between(0, 50)
        return self._dice.between(SECOND, HOUR)

    def _is_lost(self, webhook: Webhook) -> bool:
        heard = webhook.heard
        if heard is None:
            return False
        if not webhook.event:
            heard.see(webhook.status, webhook.at)
            return False
        if webhook.event == _ALWAYS_DELIVERED or not self._dice.chance(self._plan.drop):
            heard.tell(webhook.status, webhook.at)
            return False
        heard.miss(webhook.event_id, webhook.event, webhook.at, webhook.status)
        return True
