"""Several processes that deliver to one store at the same time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from dixa_state import ConversationTracker, Webhook, open_tracker
from dixa_state.store.append import Outcome

PROCESSES = 3

Batches = Sequence[Sequence[Webhook]]

_trackers: dict[str, ConversationTracker] = {}


@contextmanager
def gathered() -> Iterator[ProcessPoolExecutor]:
    """Start the processes; each keeps the stores open that it was sent to."""
    context = get_context("spawn")  # a fork would share connections
    with ProcessPoolExecutor(PROCESSES, context) as crowd:
        yield crowd


def sent(
    crowd: ProcessPoolExecutor, url: str, shares: Sequence[Batches]
) -> list[Future[list[Outcome]]]:
    """Let each process deliver its share, batch by batch."""
    return [crowd.submit(_keep, url, share) for share in shares]


def _keep(url: str, share: Batches) -> list[Outcome]:
    if url not in _trackers:
        _trackers[url] = open_tracker(url, create=False)
    tracker = _trackers[url]
    return [outcome for batch in share for outcome in tracker.append_many(batch)]
