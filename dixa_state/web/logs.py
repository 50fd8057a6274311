"""Logs with fields: text for people, or one JSON object a line for machines.

Nobody waits for who reads them: a thread writes what a bounded queue holds.
"""

import io
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from time import monotonic
from typing import Any, Literal, TextIO

import structlog

LogFormat = Literal["text", "json"]


MAX_LINES = 10_000
"""Lines that may wait to be written; those beyond are dropped and counted."""

FLUSH_TIMEOUT = 1.0
"""Seconds that the end of the process waits for the last lines."""

LINES_PER_SECOND = 10
"""Lines about refused requests; those beyond are counted in the next one."""


class BackgroundHandler(logging.Handler):
    """Writes lines in a thread of its own, and drops what is too much for its queue."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._queue: Queue[logging.LogRecord] = Queue(MAX_LINES)
        self._dropped = 0
        # A daemon, since it may wait for ever for whoever reads the other end of a pipe.
        Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue a record; never waits."""
        try:
            self._queue.put_nowait(record)
        except Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait for the last lines, but not for long."""
        queue = self._queue
        with queue.all_tasks_done:
            queue.all_tasks_done.wait_for(lambda: not queue.unfinished_tasks, FLUSH_TIMEOUT)

    def _run(self) -> None:
        while True:
            self._write(self._queue.get())
            if self._queue.empty():
                self._report_dropped()
            self._queue.task_done()

    def _write(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody is left to read it
            self._stream.write(self.format(record) + "\n")

    def _report_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            record = logging.LogRecord(
                "dixa_state.web", logging.WARNING, __file__, 0, "log lines were dropped", (), None
            )
            record.lines = dropped
            self._write(record)


class LineLimit:
    """Allows so many lines a second, and counts those beyond."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._suppressed = 0

    def allow(self) -> bool:
        """Return whether another line may be written now."""
        second = int(monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        self._suppressed += self._lines > LINES_PER_SECOND
        return self._lines <= LINES_PER_SECOND

    def take_suppressed(self) -> int:
        """Return how many were not allowed since this was last called."""
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


def configure(form: LogFormat, level: str) -> None:
    """Write the log of this process to standard error, from this level on."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    # A stream of its own: one that Python flushes at its end would wait for a reader as well.
    stream = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), "utf-8", "replace", write_through=True
    )
    handler = BackgroundHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("dixa_state").setLevel(level.upper())


def _last(form: LogFormat) -> list[structlog.typing.Processor]:
    if form == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        timestamp_key="at",
        # The other formatters show the values of variables, and with them what people wrote.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [_printable, renderer]


def _printable(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace what a terminal could take for a control sequence or another line."""
    return {
        name: "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }
