"""What a person sees in a terminal: tables on stdout, progress and messages on stderr.

Nothing that came from outside is taken for a control sequence.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

_WHOLE = ("csid", "status", "#", "id", "event")
_ANY_WIDTH = 1_000
_CONTROLS = re.compile("[\x7f-\x9f]")


def print_json(document: Any, *, exclude: set[str] | None = None) -> None:
    """Print one JSON document on a line, with those controls spelled out that JSON lets pass."""
    text = to_json(document, exclude=exclude, inf_nan_mode="null").decode()
    sys.stdout.write(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table that fits the terminal; times stay on their line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap="(UTC)" in column or column in _WHOLE)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    _print(table)
    if not table.row_count:
        say("nothing to show")


def print_rows(
    columns: Sequence[str],
    row: Callable[[T], Sequence[object]],
    items: Iterable[T],
    *,
    as_json: bool,
) -> None:
    """Print items: as JSON, one a line, or as the rows of a table."""
    if as_json:
        for item in items:
            print_json(item)
    else:
        print_table(columns, map(row, items))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line; what has no value is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        if value not in (None, "", [], {}):
            table.add_row(name, Text(plain(value)))
    _print(table)


def _print(table: Table) -> None:
    """Print a table: as wide as the terminal, or as wide as it is where a program reads it."""
    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    asked = os.environ.get("COLUMNS", "")
    width = int(asked) if asked.isdecimal() else 0
    console = Console(highlight=False, width=width or _ANY_WIDTH)
    with console.capture() as capture:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def say(message: str) -> None:
    """Print a message to standard error."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(plain(message))


def plain(value: object) -> str:
    """Show a value without the control characters that a hostile text may hold."""
    text = "-" if value is None else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Progress]:
    """Show how far a long work is; only where somebody can see it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task(description, total=total, events=0, rate=0.0)
        yield progress
