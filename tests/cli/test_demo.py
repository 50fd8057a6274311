"""The demo: a desk that is busy at any hour, with answers of every kind to look at."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest

from dixa_state import open_tracker
from dixa_state.cli.demo import store_history, webhooks
from dixa_state.dixa.signature import parse_secrets, verify
from dixa_state.questions import SlaEvaluations, Stats, Transitions

SECRET = b"x" * 32


@pytest.mark.parametrize("hour", [4, 12])
def test_it_is_busy_at_any_hour_and_has_something_of_everything(hour: int, tmp_path: Path) -> None:
    now = datetime(2026, 3, 2, hour, 30, tzinfo=UTC)
    store = f"sqlite:///{tmp_path}/demo.db"
    coming = webhooks(SECRET, now, speed=20)
    following = store_history(store, coming, now)
    assert following
    soon = now + timedelta(minutes=2)
    assert len(list(takewhile(lambda webhook: webhook.received_at < soon, coming))) > 60
    with open_tracker(store, create=False) as tracker:
        stats = tracker.ask(Stats())
        assert stats.conversations > 200
        assert stats.by_status.keys() >= {"open", "pending", "closed", "abandoned"}
        assert list(tracker.every(SlaEvaluations(status=("breached",))))
        assert list(tracker.every(Transitions(late=True)))
        assert list(tracker.every(Transitions(inferred=True)))
    verify(following.body, following.signature, parse_secrets(SECRET.hex()))


def test_at_the_speed_of_the_clock_durations_are_those_of_a_real_desk() -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    slow, fast = (next(webhooks(SECRET, now, speed)).received_at for speed in (1, 20))
    assert now - slow == pytest.approx(20 * (now - fast), abs=timedelta(milliseconds=20))
