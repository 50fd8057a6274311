"""The views for analysts: names that stay, times as times, a comment on every column.

They are `reporting.NAME` on PostgreSQL, in a schema of their own, and `reporting_NAME` on SQLite.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_VIEW = re.compile(
    r"^-- (?P<name>\w+): (?P<about>.+)\n(?P<select>SELECT(?:.*\n)+?.*);$", re.MULTILINE
)
_COLUMN = re.compile(r"(?P<name>\w+),? +-- (?P<about>.+)$", re.MULTILINE)
_PLACE = re.compile(r"\{(?P<kind>time|json|moment) (?P<column>[\w.]+)(?: (?P<path>[\w.]+))?\}")

# PostgreSQL cannot hold the NUL that JSON may spell. What is no text of ours is not read as a time.
_JSON = r"replace(convert_from({column}, 'UTF8'), '\u0000', '\ufffd')::json #>> '{path}'"
_SPELLINGS = {
    "postgres": {
        "time": "TIMESTAMPTZ 'epoch' + {column} * INTERVAL '1 microsecond'",
        "json": _JSON,
        "moment": f"({_JSON})::TIMESTAMPTZ",
    },
    "sqlite": {
        "time": "strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000000.0, 'unixepoch')",
        "json": "json_extract(CAST({column} AS TEXT), '{path}')",
        "moment": "strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(CAST({column} AS TEXT), '{path}'))",
    },
}


class ReportingView(NamedTuple):
    """A view: what a row is, what each column means, and the statement that selects them."""

    name: str
    about: str
    columns: Mapping[str, str]
    select: str

    def qualified(self, dialect: str) -> str:
        """Return the name in SQL."""
        return f"reporting.{self.name}" if dialect == "postgres" else f"reporting_{self.name}"


@cache
def reporting_views() -> tuple[ReportingView, ...]:
    """Return the views, in the order of their file."""
    script = files("dixa_state.views.sql").joinpath("reporting.sql").read_text(encoding="utf-8")
    return tuple(
        ReportingView(
            found["name"],
            found["about"],
            {column["name"]: column["about"] for column in _COLUMN.finditer(found["select"])},
            found["select"],
        )
        for found in _VIEW.finditer(script)
    )


def create_statements(dialect: str, prefix: str) -> Iterator[str]:
    """Yield the statements that make the views select from the tables with this prefix.

    On PostgreSQL they replace what is there, so that rights on a view, and views of others that
    select from it, outlive a replay.
    """
    for view in reporting_views():
        name, select = view.qualified(dialect), _spelled(dialect, view.select, prefix)
        if dialect == "sqlite":
            yield f"DROP VIEW IF EXISTS {name}"
            yield f"CREATE VIEW {name} AS  -- {view.about}\n{select}"
            continue
        yield f"CREATE OR REPLACE VIEW {name} AS {select}"
        yield f"COMMENT ON VIEW {name} IS {_literal(view.about)}"
        for column, about in view.columns.items():
            yield f"COMMENT ON COLUMN {name}.{column} IS {_literal(about)}"


def drop_statements(dialect: str) -> Iterator[str]:
    """Yield the statements that drop the views."""
    return (f"DROP VIEW IF EXISTS {view.qualified(dialect)}" for view in reporting_views())


def _spelled(dialect: str, select: str, prefix: str) -> str:
    spellings = _SPELLINGS[dialect]

    def spell(place: re.Match[str]) -> str:
        parts = (place["path"] or "").split(".")
        path = f"{{{','.join(parts)}}}" if dialect == "postgres" else _sqlite_path(parts)
        return spellings[place["kind"]].replace("{column}", place["column"]).replace("{path}", path)

    return _PLACE.sub(spell, select).replace("{v}", prefix)


def _sqlite_path(parts: list[str]) -> str:
    return "$" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
