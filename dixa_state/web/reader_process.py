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
from collections.abc import Callable
from functools import partial
from threading import Event as Signal
from threading import Thread

from pydantic_core import from_json, to_json

from dixa_state.web.app import Application
from dixa_state.web.handover import Handover, channel
from dixa_state.web.processes import new_process, start
from dixa_state.web.server import Server, settled

END_TIMEOUT = 60.0
"""Seconds after which the process is killed, once the service has ended."""

REPORT_INTERVAL = 0.5
"""Seconds between two reports of what was answered there, for the metrics."""

Serve = Callable[[socket.socket], None]
"""Serves in the process of the readers, at this end of the channel."""

_log = logging.getLogger("dixa_state.web")
_PAUSE = 1.0


class ReaderProcess:
    """The process of the readers, as that of the webhooks has it."""

    def __init__(self, app: Application, serve: Serve) -> None:
        """Pass on what `app` need not answer itself, once the process runs that calls `serve`."""
        self.handover = Handover(app.receives)
        self._service = app.service
        self._serve = serve
        self._stop = Signal()
        self._thread = Thread(target=self._watch, name="readers", daemon=True)
        self._process = new_process("readers", serve)
        self._counts: dict[tuple[str, ...], float] = {}

    def start(self, server: Server) -> None:
        """Begin, on the event loop of the server."""
        self._server = server
        self._loop = asyncio.get_running_loop()
        if sys.platform == "linux":  # elsewhere such channels are missing, or lose descriptors
            self._thread.start()

    def finish(self) -> None:
        """Ask the process to end after what is under way; safe in a signal handler."""
        self._stop.set()
        self.handover.finish()

    def close(self, *, at_once: bool = False) -> None:
        """Wait until the process has ended."""
        self.finish()
        if not self._thread.ident:
            return  # no process was started
        self._thread.join(0 if at_once else END_TIMEOUT)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()
        self.handover.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                end = self._start_process()
            except OSError as error:
                _log.warning("the readers' process cannot be started", extra={"why": str(error)})
            else:
                self._loop.call_soon_threadsafe(self._attach, end)
                self._process.join()
                if not self._stop.is_set():
                    code = self._process.exitcode
                    _log.warning("the readers' process has ended", extra={"exit_code": code})
            self._stop.wait(_PAUSE)

    def _start_process(self) -> socket.socket:
        """Start the process, and return the end of the channel to it."""
        ours, theirs = channel()
        self._process = new_process("readers", self._serve, theirs)
        try:
            with theirs:
                start(self._process)
        except OSError:
            ours.close()
            raise
        return ours

    def _attach(self, end: socket.socket) -> None:
        if self._stop.is_set():
            end.close()
            return
        self._counts = {}
        self.handover.attach(end, self._server.serve_connection, self._hear, self._ended)

    def _hear(self, report: bytes) -> None:
        """Note what was answered there; the first report says that it answers."""
        found = from_json(report)
        self._service.streams_elsewhere = found["streams"]
        for *labels, count in found["requests"]:
            key = tuple(labels)
            self._service.metrics.requests(*key).inc(count - self._counts.get(key, 0))
            self._counts[key] = count
        self.handover.open = not self._stop.is_set()

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
        self.handover.open = True
        self._reporting = asyncio.create_task(self._report())

    def finish(self) -> None:
        """Pass on nothing from now on."""
        self.handover.open = False

    async def _report(self) -> None:
        while True:
            service = self._service
            report = {
                "streams": service.live_updates.subscribers,
                "requests": service.metrics.request_counts(),
            }
            self.handover.report(to_json(report))
            await asyncio.sleep(REPORT_INTERVAL)


def answer_readers(
    app: Application, end: socket.socket, *, trusted_proxies: str | None = None
) -> None:
    """Answer, in this process, what comes through this end of the channel, until that ends.

    Raises what keeps the service from its start.
    """
    webhooks = _ReceiverProcess(app, end)
    server = Server(app, lambda: None, trusted_proxies=trusted_proxies, partner=webhooks)
    with settled():
        server.run(sockets=[])
    webhooks.handover.close()
    if app.service.failure is not None:
        raise app.service.failure
    if app.service.stuck:
        os._exit(1)  # threads that wait for the store would keep the process for ever
