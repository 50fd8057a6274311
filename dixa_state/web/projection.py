"""The projector beside the service, started again when it fails.

It runs in a thread, or in a process of its own: a batch runs some thirty statements, and in the
service it waits after each of them for the interpreter as well, among the threads that receive
webhooks, and they for it.
"""

import gc
import logging
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from threading import Event as Signal
from threading import Thread
from typing import Protocol

from dixa_state.errors import DixaStateError, SchemaError, StoreUnavailableError
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.web.processes import ServiceProcess

_log = logging.getLogger("dixa_state.web")
_PAUSE = 1.0
_POLL = 0.2
"""Seconds after which the thread that watches the process looks whether it is to end."""


class Report(Protocol):
    """Called with what keeps the projector from going on, or with None once it goes on."""

    def __call__(self, failure: str | None, *, outdated: bool = False) -> None:
        """Note it; `outdated` says that the views are of another version."""


Run = Callable[[Signal, Report], None]
"""Projects until the signal is set, and reports."""

OpenPlace = Callable[[], tuple[ConversationTracker, Views]]


class Projection:
    """Runs the projector while the service runs."""

    def __init__(self, run: Run) -> None:
        """Run it in a thread; where another process has the lead, it stands by.

        `failure` is why it does not go on; `outdated` says that the views are of another version,
        and wait for a replay.
        """
        self._stop = Signal()
        self._thread = Thread(target=run, args=(self._stop, self._report), name="projector")
        self._thread.daemon = True
        self.failure: str | None = None
        self.outdated = False

    @property
    def alive(self) -> bool:
        """Return whether it runs, and has made progress since it last failed."""
        return self._thread.is_alive() and self.failure is None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, once the page under way is written."""
        self._stop.set()
        self._thread.join()

    def _report(self, failure: str | None, *, outdated: bool = False) -> None:
        if failure is not None and failure != self.failure:
            _log.warning("the projector cannot go on", extra={"why": failure})
        self.failure, self.outdated = failure, outdated


def project(projector: Projector, stop: Signal, report: Report) -> None:
    """Project in this thread until the signal is set."""

    def unavailable(error: StoreUnavailableError) -> None:
        report(str(error))

    while not stop.is_set():
        try:
            projector.run(stop, lambda _position: report(None), unavailable)
        except SchemaError as error:  # until a replay has made views of this version
            report(str(error), outdated=True)
            stop.wait(_PAUSE)
        except Exception as error:  # noqa: BLE001 — whatever it is, the service goes on
            report(f"{type(error).__name__}: {error}")
            _log.exception("the projector starts again")
            stop.wait(_PAUSE)


def elsewhere(stop: Signal, _report: Report) -> None:
    """Wait for the end, where another process has the projector."""
    stop.wait()


def project_apart(process: ServiceProcess[Connection], stop: Signal, report: Report) -> None:
    """Run a process that projects until the signal is set; start it again when it ends."""
    while not stop.is_set():
        try:
            code = _run_process(process, stop, report)
        except OSError as error:
            report(f"its process cannot be started: {error}")
        else:
            if not stop.is_set():
                report(f"its process has ended with {code}")
        stop.wait(_PAUSE)


def _run_process(process: ServiceProcess[Connection], stop: Signal, report: Report) -> int | None:
    """Pass on what the process reports, until it ends; return its exit code."""
    running, pipe = process.start()
    with pipe, suppress(EOFError, ConnectionError):
        while not stop.is_set():
            if pipe.poll(_POLL):
                failure, outdated = pipe.recv()
                report(failure, outdated=outdated)
    running.join()
    return running.exitcode


def project_until_end(open_place: OpenPlace, pipe: Connection) -> None:
    """Project in this process until its pipe ends: with the service, however that ends.

    `open_place` opens the store, again after each failure.
    """
    gc.freeze()  # what is imported by now is no garbage
    stop = Signal()
    sent: tuple[str | None, bool] | None = None

    def report(failure: str | None, *, outdated: bool = False) -> None:
        nonlocal sent
        if (failure, outdated) != sent:
            sent = failure, outdated
            with suppress(OSError):
                pipe.send(sent)

    Thread(target=_wait_for_end, args=(pipe, stop), daemon=True).start()
    while not stop.is_set():
        try:
            tracker, views = open_place()
        except DixaStateError as error:
            report(str(error))
            stop.wait(_PAUSE)
        else:
            with tracker, closing(views):
                project(Projector(tracker, views), stop, report)


def _wait_for_end(pipe: Connection, stop: Signal) -> None:
    with suppress(EOFError, OSError):
        pipe.recv()
    stop.set()
