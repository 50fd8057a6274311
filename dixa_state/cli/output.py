"""What a person sees in a terminal: tables on stdout, progress and messages on stderr.

Nothing that came from outside is taken for a control sequence.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

import click
from pydantic_core import to_json
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from dixa_state.questions.naming import labelled

T = TypeVar("T")

_WHOLE = ("csid", "status", "#", "id", "from", "to", "position", "sequence")
"""Columns whose values are shown whole, beside those of times."""

_WRAPPED = ("changes", "reason", "expected", "got")
"""Columns of texts that go on in the next line."""

_LEFT_OUT = ("event id", "received (UTC)", "requester", "signature", "remarks", "proof")
"""Columns that are left out where there is no room, in this order."""

FIRST_ROWS, _COUNTED = 50, 1_000
_SHORTEST = dict.fromkeys(_WRAPPED, 27) | {"event": 16}
"""The least widths of columns, where these are not 8."""
_STYLES = {"breached": "bold red", "overdue": "bold red", "waiting": "yellow"}
_ANY_WIDTH = 1_000
_CONTROLS = re.compile("[\x7f-\x9f]")


def print_json(document: Any, *, exclude: set[str] | None = None) -> None:
    """Print one JSON document on a line, with those controls spelled out that JSON lets pass."""
    text = to_json(document, exclude=exclude, inf_nan_mode="null").decode()
    sys.stdout.write(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table that fits the terminal: columns are shortened, or even left out."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = _fitted(columns, cells, _width())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, width in widths.items():
        wrapped = column in _WRAPPED
        table.add_column(column, width=width, no_wrap=not wrapped, overflow="ellipsis")
    shown = [place for place, column in enumerate(columns) if column in widths]
    for row in cells:
        table.add_row(*(Text(row[place], _STYLES.get(row[place], "")) for place in shown))
    _print(table)
    if not cells:
        say("nothing to show")


def _fitted(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> dict[str, int]:
    """Return the columns to show, each with its width, so that all of them fit in the room."""
    longest = {
        column: max((cell_len(row[place]) for row in cells), default=0)
        for place, column in enumerate(columns)
    }
    widths = {column: max(width, cell_len(column)) for column, width in longest.items()}
    least = {
        column: width
        if "(UTC)" in column or column in _WHOLE
        else min(width, _SHORTEST.get(column, 8))
        for column, width in widths.items()
    }
    room -= 2 * (len(columns) - 1)
    empty = [column for column in columns if not longest[column]]
    for column in (*empty, *_LEFT_OUT):
        if sum(least.values()) > room and least.pop(column, None) is not None:
            room += 2
    widths = {column: widths[column] for column in least}
    while sum(widths.values()) > room:
        widest = max(widths, key=lambda column: widths[column] - least[column])
        if widths[widest] == least[widest]:
            break
        widths[widest] -= 1
    return widths


def print_rows(
    columns: Sequence[str],
    row: Callable[[T], Sequence[object]],
    items: Iterable[T],
    *,
    as_json: bool,
) -> None:
    """Print items: as JSON, one a line, or as rows of a table, equal names distinguished."""
    if as_json:
        for item in items:
            print_json(item)
    else:
        print_table(columns, map(row, labelled(list(items))))


def say_rest(items: Iterator[object]) -> None:
    """Print a message with the number of items that were not printed, if any."""
    more = sum(1 for _ in islice(items, _COUNTED + 1))
    if more:
        count = f"{more:,}" if more <= _COUNTED else f"more than {_COUNTED:,}"
        say(f"… and {count} more: --limit N shows more of them, --json all")


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line; what has no value is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        if value not in (None, "", [], {}):
            table.add_row(name, Text(plain(value)))
    _print(table)


def print_one(document: Any, fields: Iterable[tuple[str, object]], *, as_json: bool) -> None:
    """Print a document: as JSON, or as the fields that people read."""
    if as_json:
        print_json(document)
    else:
        print_fields(fields)


def print_body(document: Any, *, as_json: bool) -> None:
    """Print a document with a `body`, which follows the other fields after an empty line."""
    if as_json:
        print_json(document)
        return
    print_fields(document.model_dump(mode="json", exclude={"body"}).items())
    lines = document.body.splitlines()
    sys.stdout.write("\n" + "".join(f"{plain(line)}\n" for line in lines))


def _width() -> int:
    """Return the width of the terminal, or enough where a program reads what is printed."""
    if sys.stdout.isatty():
        return Console().width
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) else _ANY_WIDTH


def _print(table: Table) -> None:
    """Print a table, on a terminal by its pager where it is longer than that."""
    console = Console(highlight=False, width=_width())
    with console.capture() as capture:
        console.print(table)
    lines = [f"{line.rstrip()}\n" for line in capture.get().splitlines()]
    if console.is_terminal and len(lines) >= console.height:
        click.echo_via_pager(lines, color=True)
    else:
        sys.stdout.writelines(lines)


def say(message: str) -> None:
    """Print a message to standard error."""
    text = plain(message).replace("`dixa-state ", f"`{program()} ")
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)


def program() -> str:
    """Return the command as it was started: hints must name one that the reader has."""
    return os.environ.get("_DIXA_STATE_COMMAND") or "dixa-state"


def plain(value: object) -> str:
    """Show a value without the control characters that a hostile text may hold."""
    text = "-" if value is None else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show how far a long work is, where somebody can see it, and yield what moves the bar.

    That takes what is done, and the number of events where something else is counted.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    console, started = Console(stderr=True), monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, events=0, rate=0.0)

        def move(done: float, events: int | None = None) -> None:
            count = done if events is None else events
            rate = count / max(monotonic() - started, 1e-9)
            progress.update(task, completed=done, events=count, rate=rate)

        yield move
