"""The process of the readers: pages, questions and live updates, apart from the webhooks.

In one process, each row of an open board takes the interpreter from a webhook: with 50 boards at
300 webhooks a second, the median answer took half as long again. The process is started by that of
the webhooks, ends with it, and is started again when it dies; meanwhile all is answered there.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from math import inf
from multiprocessing.process import BaseProcess
from threading import Event as Signal
from threading import Thread
from time import monotonic

from pydantic_core import from_json, to_json

from dixa_state.web.app import Application
from dixa_state.web.handover import Handover
from dixa_state.web.metrics import Counts
from dixa_state.web.processes import ServiceProcess
from dixa_state.web.server import Server, settled

END_TIMEOUT = 56.0
"""Seconds after which the process is killed, once it was asked to end: as long as the service needs
at most."""

NICENESS = 10
"""How far the process stands back where all cores are busy: it gets a tenth of what others get."""

REPORT_INTERVAL, SILENCE = 0.5, 2.0
"""Seconds between two reports of what was answered there, and after which, without one, nothing is
passed on."""

_log = logging.getLogger("dixa_state.web")
_PAUSE, _MAX_PAUSE = 1.0, 30.0
_POLL = 0.2


class ReaderProcess:
    """The process of the readers, as that of the webhooks has it."""

    def __init__(self, app: Application, process: ServiceProcess[socket.socket]) -> None:
        """Pass on what `app` need not answer itself, once the process runs."""
        self.handover = Handover(app.receives)
        self._service = app.service
        self._process = process
        self._running: BaseProcess | None = None
        self._stop = Signal()
        self._thread = Thread(target=self._watch, name="readers", daemon=True)
        self._counts: Counts | None = None
        self._pause = _PAUSE
        self._end_by = inf

    def start(self, server: Server) -> None:
        """Begin, on the event loop of the server."""
        self._server = server
        self._loop = asyncio.get_running_loop()
        if sys.platform == "linux":  # elsewhere such channels are missing, or lose descriptors
            self._thread.start()

    def finish(self) -> None:
        """Ask the process to end after what is under way; safe in a signal handler."""
        self._stop.set()
        self._end_by = min(self._end_by, monotonic() + END_TIMEOUT)
        self.handover.finish()

    def close(self, *, at_once: bool = False) -> None:
        """Wait until the process has ended; kill it `at_once`, or if it takes too long."""
        self.finish()
        if not self._thread.ident:
            return  # no process was started
        if not at_once and self._counts is not None:  # else it has only begun, and has nothing
            self._thread.join(max(self._end_by - monotonic(), 0))
        while self._thread.is_alive():
            if self._running is not None:
                self._running.kill()
            self._thread.join(_POLL)
        self.handover.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._running, end = self._process.start()
            except OSError as error:
                _log.warning("the readers' process cannot be started", extra={"why": str(error)})
            else:
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    self._loop.call_soon_threadsafe(self._attach, end)
                self._running.join()
                if not self._stop.is_set():
                    code = self._running.exitcode
                    _log.warning("the readers' process has ended", extra={"exit_code": code})
            self._stop.wait(self._pause)
            self._pause = min(2 * self._pause, _MAX_PAUSE)

    def _attach(self, end: socket.socket) -> None:
        if self._stop.is_set():
            end.close()
            return
        self._counts = None
        self.handover.attach(end, self._server.serve_connection, self._hear, self._ended)

    def _hear(self, report: bytes) -> None:
        """Note what was answered there; the first report says that it answers."""
        found = from_json(report)
        self._service.streams_elsewhere = found["streams"]
        self._service.metrics.add(found["counts"], self._counts or ())
        self._counts, self._pause = found["counts"], _PAUSE
        if not self._stop.is_set():
            self.handover.open_until = monotonic() + SILENCE

    def _ended(self) -> None:
        self._service.streams_elsewhere = 0


class _ReceiverProcess:
    """The process of the webhooks, as that of the readers has it."""

    def __init__(self, app: Application, end: socket.socket) -> None:
        self.handover = Handover(lambda target: not app.receives(target))
        self._service = app.service
        self._end = end

    def start(self, server: Server) -> None:
        """Begin, on the event loop of the server."""
        stop = partial(server.handle_exit, signal.SIGTERM, None)
        self.handover.attach(self._end, server.serve_connection, lambda _: None, stop)
        self.handover.open_until = inf
        self._reporting = asyncio.create_task(self._report())

    def finish(self) -> None:
        """Pass on nothing from now on."""
        self.handover.open_until = 0.0

    async def _report(self) -> None:
        while True:
            service = self._service
            report = {
                "streams": service.live_updates.subscribers,
                "counts": service.metrics.counts(),
            }
            self.handover.report(to_json(report))
            await asyncio.sleep(REPORT_INTERVAL)


def answer_readers(
    app: Application, end: socket.socket, *, trusted_proxies: str | None = None
) -> None:
    """Answer, in this process, what comes through this end of the channel, until that ends.

    Raises what keeps the service from its start.
    """
    with suppress(OSError):  # where the system does not let it, it does without
        os.nice(NICENESS)
    webhooks = _ReceiverProcess(app, end)
    server = Server(app, lambda: None, trusted_proxies=trusted_proxies, partner=webhooks)
    with settled():
        server.run(sockets=[])
    webhooks.handover.close()
    if app.service.failure is not None:
        raise app.service.failure
    if app.service.stuck:
        os._exit(1)  # threads that wait for the store would keep the process for ever
