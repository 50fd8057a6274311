"""What operators watch, in Prometheus' form; labels take a bounded number of values."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_ANSWER_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_BATCH_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_GAUGES = {
    "inbox_waiting": ("inbox_waiting", "Webhooks that wait for a commit"),
    "streams": ("streams_open", "Live streams"),
    "store_position": ("store_position", "Position of the newest event"),
    "views_position": ("projector_position", "Position that the views have reached"),
    "lag": ("projector_lag_events", "Events that the views are behind"),
    "poison": ("poison_events", "Events that could not be folded"),
    "last_event_age": ("last_event_age_seconds", "Since the newest event was received"),
}


class Tally:
    """A counter with labels; those that came before are found without looking them up again."""

    def __init__(self, counter: Counter) -> None:
        """Count in this."""
        self._counter = counter
        self._known: dict[tuple[object, ...], Counter] = {}

    def add(self, *labels: object) -> None:
        """Count one more with these labels."""
        one = self._known.get(labels)
        if one is None:
            one = self._known[labels] = self._counter.labels(*labels)
        one.inc()


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = registry = CollectorRegistry()
        self.received = Tally(
            Counter(
                "dixa_state_webhooks_received",
                "Webhooks that were kept, by what became of them",
                ["outcome", "event"],
                registry=registry,
            )
        )
        self.refused = Tally(
            Counter(
                "dixa_state_webhooks_refused",
                "Webhooks that were not kept, by reason",
                ["reason"],
                registry=registry,
            )
        )
        self.answer = Histogram(
            "dixa_state_webhook_answer_seconds",
            "From the head of a webhook request to its answer",
            buckets=_ANSWER_SECONDS,
            registry=registry,
        )
        self.commits = Histogram(
            "dixa_state_commit_events",
            "Webhooks that shared a commit",
            buckets=_BATCH_EVENTS,
            registry=registry,
        )
        self.requests = Tally(
            Counter(
                "dixa_state_http_requests",
                "HTTP requests that were answered",
                ["method", "route", "status"],
                registry=registry,
            )
        )
        self._alive = Gauge(
            "dixa_state_projector_alive", "1 while the projector runs", registry=registry
        )
        self._gauges = {
            name: Gauge(f"dixa_state_{metric}", told, registry=registry)
            for name, (metric, told) in _GAUGES.items()
        }

    def show(self, values: Mapping[str, object], *, alive: bool) -> None:
        """Set what is looked up when it is asked for; a value that is not known is NaN."""
        self._alive.set(alive)
        for name, gauge in self._gauges.items():
            value = values[name]
            gauge.set(value if isinstance(value, int | float) else math.nan)
