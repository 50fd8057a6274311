"""SQL lives in files: one statement each, under a name and a line that says what it is for."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_STATEMENT = re.compile(r"^-- (?P<name>\w+): .+\n(?P<sql>(?:(?!-- ).*\n?)+)", re.MULTILINE)

_INDEX = re.compile(
    r"^CREATE INDEX \w+ ON (?P<table>\w+) \((?P<columns>[^)]+)\)(?: WHERE \w+ IS NOT NULL)?;$",
    re.MULTILINE,
)
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")

SCHEMA_VERSION = 1
"""The schema that this program reads and writes."""


@cache
def statements(file: str) -> Mapping[str, str]:
    """Give the statements of a file, such as `sqlite` or `views`, by name."""
    found = _STATEMENT.finditer(_read(f"{file}.sql"))
    return MappingProxyType({match["name"]: match["sql"].strip() for match in found})


@cache
def schema(dialect: str) -> str:
    """Give the script that makes the schema of a dialect; it may be run again at any time."""
    return _read(f"{dialect}-schema.sql")


def views_tables(dialect: str, prefix: str) -> str:
    """Give the script that makes the tables of one generation of the views."""
    text = 'TEXT COLLATE "C"' if dialect == "postgres" else "TEXT"
    return _read("views-schema.sql").replace("{v}", prefix).replace("{text}", text)


def views_indexes(prefix: str) -> str:
    """Give the script that makes the indexes of one generation of the views."""
    return _read("views-indexes.sql").replace("{v}", prefix)


@cache
def views_index_columns(table: str) -> frozenset[tuple[str, ...]]:
    """Give the columns that the indexes of a table begin with: one, two and more, or all of them.

    An index of some rows only counts where it leaves out no more than those without a value.
    """
    found = (match for match in _INDEX.finditer(views_indexes("")) if match["table"] == table)
    indexes = (tuple(match["columns"].split(", ")) for match in found)
    return frozenset(index[:many] for index in indexes for many in range(1, len(index) + 1))


@cache
def with_percent(sql: str) -> str:
    """Spell parameters written `:name` as psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
