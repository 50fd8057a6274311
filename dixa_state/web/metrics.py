"""What operators watch, in Prometheus' form; labels take a bounded number of values."""

import math
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from time import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dixa_state.domain.lifecycle import RUNNING
from dixa_state.questions import CurrentCounts

MAX_QUEUES = 50
"""Queues that are named, those where most wait; the others are counted together."""

OTHERS = "other queues"
_MINUTE, _MINUTES = 60, 60
_RESPONSE_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_BATCH_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_GAUGES = {
    "inbox_waiting": ("inbox_waiting", "Webhooks that wait for a commit"),
    "streams": ("streams_open", "Subscribers to live updates"),
    "store_position": ("store_position", "Position of the newest event"),
    "views_position": ("projector_position", "Position that the views have reached"),
    "lag": ("projector_lag_events", "Events that the views are behind"),
    "poison": ("poison_events", "Events that could not be folded"),
    "last_event_age": ("last_event_age_seconds", "Since the newest event was received"),
}


_WORKLOAD = {
    **{f"{status}_conversations": f"Conversations in status {status}" for status in RUNNING},
    "unassigned_conversations": "Open conversations without an agent",
    "breached_conversations": "Conversations that have not ended, with a breached SLA evaluation",
    "missed_webhooks": "Proofs of a webhook that was lost",
}


Counts = Sequence[tuple[str, Sequence[str], float]]
"""Counters: the name of each, its labels, and its value."""


class LastHour:
    """Counts by minute and name, for a picture; only those of the last hour are kept."""

    def __init__(self) -> None:
        self._minutes: dict[int, Tally[str]] = {}

    def add(self, name: str) -> None:
        """Count one now."""
        minute = int(time()) // _MINUTE
        counts = self._minutes.get(minute)
        if counts is None:
            kept = {m: counted for m, counted in self._minutes.items() if 0 < minute - m < _MINUTES}
            counts = Tally()
            self._minutes = kept | {minute: counts}
        counts[name] += 1

    def minutes(self) -> list[tuple[datetime, Tally[str]]]:
        """Return the minutes, oldest first, each with its counts."""
        last = int(time()) // _MINUTE
        return [
            (datetime.fromtimestamp(minute * _MINUTE, UTC), self._minutes.get(minute, Tally()))
            for minute in range(last - _MINUTES + 1, last + 1)
        ]


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.last_hour = LastHour()
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self.received = self._counter(
            "webhooks_received", "Webhooks that were kept, by outcome", "outcome", "event"
        )
        self.refused = self._counter(
            "webhooks_refused", "Webhooks that were not kept, by reason", "reason"
        )
        self.requests = self._counter(
            "http_requests", "HTTP requests that were answered", "method", "route", "status"
        )
        self.response_time = Histogram(
            "dixa_state_webhook_answer_seconds",
            "From the headers of a webhook to its response",
            buckets=_RESPONSE_SECONDS,
            registry=self.registry,
        )
        self.commits = Histogram(
            "dixa_state_commit_events",
            "Webhooks that shared a commit",
            buckets=_BATCH_EVENTS,
            registry=self.registry,
        )
        self._alive = self._gauge("projector_alive", "1 while the projector runs")
        self._gauges = {name: self._gauge(*metric) for name, metric in _GAUGES.items()}
        self._workload = {name: self._gauge(name, text) for name, text in _WORKLOAD.items()}
        self._waiting = self._gauge("waiting_conversations", "In a queue", "queue")
        self._longest_wait = self._gauge(
            "longest_wait_seconds", "Since the first of those in a queue entered it", "queue"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Callable[..., Counter]:
        """Return what finds the counter of labels: the library needs 3 µs for it each time."""
        counter = Counter(f"dixa_state_{name}", text, labels, registry=self.registry)
        self._counters[name] = counter
        return cache(counter.labels)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"dixa_state_{name}", text, labels, registry=self.registry)

    def counts(self) -> Counts:
        """Return what has been counted so far."""
        return [
            (name, tuple(one.labels.values()), one.value)
            for name, counter in self._counters.items()
            for family in counter.collect()
            for one in family.samples
            if one.name.endswith("_total")
        ]

    def add(self, counts: Counts, before: Counts) -> None:
        """Add what another process has counted, since it had counted `before`."""
        known = {(name, tuple(labels)): count for name, labels, count in before}
        for name, labels, count in counts:
            more = count - known.get((name, tuple(labels)), 0)
            self._counters[name].labels(*labels).inc(more)

    def set_workload(self, found: CurrentCounts | None) -> None:
        """Set what the desk has before it; what is not known is NaN, and no queue waits."""
        values = {**dict(found.total), "missed_webhooks": found.missed} if found else {}
        for name, gauge in self._workload.items():
            gauge.set(values.get(name.removesuffix("_conversations"), math.nan))
        self._waiting.clear()
        self._longest_wait.clear()
        queues = [one for one in found.groups if one.waiting] if found else []
        queues.sort(key=lambda one: (-one.waiting, one.value or ""))
        waits: defaultdict[str, float] = defaultdict(float)
        for place, one in enumerate(queues):
            name = (one.label or "none") if place < MAX_QUEUES else OTHERS
            self._waiting.labels(name).inc(one.waiting)
            waits[name] = max(waits[name], one.longest_wait or 0)
            self._longest_wait.labels(name).set(waits[name])

    def set_gauges(self, values: Mapping[str, object], *, alive: bool) -> None:
        """Set what is only known when somebody asks; a value that is not known is NaN."""
        self._alive.set(alive)
        for name, gauge in self._gauges.items():
            value = values[name]
            gauge.set(value if isinstance(value, int | float) else math.nan)
