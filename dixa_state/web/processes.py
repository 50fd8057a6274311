"""Processes of the service: they end with it, and signals of a terminal do not reach them."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

_context = get_context("spawn")  # a fork would share the connections and the locks of threads
Pipe = _context.Pipe


give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: None)
"""Let another process go first that waits for a core.

`nice` shares the time of a core, but what wakes up may wait for some milliseconds until another
process has used up its turn, however nice that is. Long work calls this in between.
"""


def new_process(name: str, work: Callable[..., None], *arguments: Any) -> SpawnProcess:
    """Return a process that is not started yet."""
    return _context.Process(target=work, args=arguments, name=name, daemon=True)


def start(process: SpawnProcess) -> None:
    """Start a process; raises `OSError` if the system has none."""
    with _signals_blocked():
        process.start()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals for the process that is started: those of a terminal go to all processes."""
    resource_tracker.ensure_running()  # when multiprocessing starts it, it unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
