"""The SQL of the views.

`{v}` stands for the prefix of a generation's tables, `{running}` in `indexes.sql` for `IN` and the
statuses of conversations that have not ended.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from dixa_state.domain.lifecycle import ENDED, RUNNING
from dixa_state.store.sql import named_statements

_INDEX = re.compile(
    r"^CREATE INDEX \w+ ON (?P<table>\w+) \((?P<columns>[^)]+)\)(?: WHERE (?P<rows>[^;]+))?;$",
    re.MULTILINE,
)


def _one_of(statuses: Iterable[str]) -> str:
    listed = ", ".join(f"'{status}'" for status in statuses)
    return f"IN ({listed})"


IN_RUNNING = _one_of(RUNNING)
"""`IN` and the statuses of conversations that have not ended."""

IN_ENDED = _one_of(ENDED)
"""`IN` and the statuses of those that have."""


@cache
def views_statements() -> Mapping[str, str]:
    """Return the statements of the views by name; both databases have the same."""
    return named_statements(_read("views.sql"))


@cache
def views_tables(dialect: str, prefix: str) -> tuple[str, ...]:
    """Return the statements that create the tables of one generation of the views."""
    text = 'TEXT COLLATE "C"' if dialect == "postgres" else "TEXT"
    script = _read("schema.sql").replace("{v}", prefix).replace("{text}", text)
    return tuple(part for part in script.split(";\n") if part.strip())


def views_indexes(prefix: str) -> str:
    """Return the script that creates the indexes of one generation of the views."""
    return _read("indexes.sql").replace("{v}", prefix).replace("{running}", IN_RUNNING)


@cache
def state_column(dialect: str, prefix: str) -> str:
    """Return the expression for a whole state, chunks included, of a row of a table named `t`."""
    return named_statements(_read("states.sql"))[dialect].rstrip(";").replace("{v}", prefix)


@cache
def views_index_columns(table: str, rows: str | None = None) -> frozenset[tuple[str, ...]]:
    """Return every list of columns that an index of a table begins with.

    With `rows`, of the indexes of those rows only; else of indexes that leave out no more than the
    rows without a value.
    """
    found = [match for match in _INDEX.finditer(views_indexes("")) if match["table"] == table]
    whole = rows is None
    indexes = (
        tuple(match["columns"].split(", "))
        for match in found
        if match["rows"] == rows or (whole and match["rows"].endswith("IS NOT NULL"))
    )
    return frozenset(index[:many] for index in indexes for many in range(1, len(index) + 1))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
