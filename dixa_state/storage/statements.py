"""SQL lives in files: one statement each, under a name and a line that says what it is for."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_STATEMENT = re.compile(r"^-- (?P<name>\w+): .+\n(?P<sql>(?:(?!-- ).*\n?)+)", re.MULTILINE)

SCHEMA_VERSION = 1
"""The schema that this program reads and writes."""


@cache
def statements(dialect: str) -> Mapping[str, str]:
    """Give the statements of a dialect, `sqlite` or `postgres`, by name."""
    found = _STATEMENT.finditer(_read(f"{dialect}.sql"))
    return MappingProxyType({match["name"]: match["sql"].strip() for match in found})


@cache
def schema(dialect: str) -> str:
    """Give the script that makes the schema of a dialect; it may be run again at any time."""
    return _read(f"{dialect}-schema.sql")


def _read(name: str) -> str:
    return files(__package__).joinpath("sql", name).read_text(encoding="utf-8")
