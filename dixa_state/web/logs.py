"""Logs with fields: text for people, or one JSON object a line for machines."""

import logging
import sys
from typing import Literal

import structlog

LogFormat = Literal["text", "json"]


def configure(form: LogFormat, level: str) -> None:
    """Send the log of this process to standard error, from this level on."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    handler = logging.StreamHandler(sys.stderr)
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
    return [renderer]
