"""Logs with fields: text for people, or one JSON object a line for machines."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

LogFormat = Literal["text", "json"]


def configure(form: LogFormat, level: str) -> None:
    """Write the log of this process to standard error, from this level on."""
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
    return [_printable, renderer]


def _printable(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace what a terminal could take for a control sequence or another line."""
    return {
        name: "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }
