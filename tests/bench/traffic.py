"""Webhooks to measure with: the simulator's, as Dixa writes them: about 1.6 KB each."""

from datetime import UTC, datetime
from functools import cache

from dixa_state.simulate import Plan, bodies, pretty_json
from dixa_state.store.events import Webhook

EVENTS_EACH = 15
"""Webhooks that a simulated conversation comes to, about."""


@cache
def webhooks(number: int, seed: int = 1) -> tuple[bytes, ...]:
    """Give so many bodies, in the order of their arrival."""
    plan = Plan(conversations=number // EVENTS_EACH + number // 50 + 10, seed=seed, days=30)
    made = (pretty_json(simulated.body) for simulated in bodies(plan))
    return tuple(body for body, _ in zip(made, range(number), strict=False))


def received_webhooks(number: int) -> list[Webhook]:
    """Give them as they come in."""
    now = datetime.now(UTC)
    return [Webhook(body, now) for body in webhooks(number)]
