"""SQL lives in files: one statement each, under a name and a line that says what it is for."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from dixa_state.errors import SchemaError

_STATEMENT = re.compile(r"^-- (?P<name>\w+): .+\n(?P<sql>(?:(?!-- ).*\n?)+)", re.MULTILINE)

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")

SCHEMA_VERSION = 3
"""The schema that this program reads and writes."""


@cache
def statements(dialect: str) -> Mapping[str, str]:
    """Return the event store's statements in a dialect, by name."""
    return named_statements(_read(f"{dialect}.sql"))


@cache
def schema(dialect: str) -> str:
    """Return the script that creates the schema of a dialect; it may be run again at any time."""
    return _read(f"{dialect}-schema.sql")


@cache
def roles() -> str:
    """Return the script that creates the roles of a store on PostgreSQL."""
    return _read("postgres-roles.sql")


def named_statements(script: str) -> Mapping[str, str]:
    """Split a script into its statements, by the names in the comments before them."""
    found = _STATEMENT.finditer(script)
    return MappingProxyType({match["name"]: match["sql"].strip() for match in found})


def require_schema_version(row: Sequence[int] | None) -> None:
    """Raise `SchemaError` unless a row of `schema_version` has the version of this program."""
    found = row[0] if row else None
    if found != SCHEMA_VERSION:
        raise SchemaError(
            f"expected schema version {SCHEMA_VERSION}, got {found}: "
            "another version of dixa_state made this store; use that one"
        )


@cache
def with_percent(sql: str) -> str:
    """Return a statement with its parameters `:name` spelled as psycopg expects them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
