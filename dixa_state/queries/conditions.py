"""Conditions on rows of the views: each one is SQL for a database, and a test for rows in memory.

A list, a count and a page that was asked for a while ago all judge by the same condition, so that a
number always equals the rows behind it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dixa_state.projection.rows import Row, TagRow, WordRow

Made = Mapping[str, Sequence[Row]]
"""All rows that one conversation makes, by table."""


class Parameters:
    """Collects values under names of their own, to be bound to a statement."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """Begin with none, or with those of another part of the statement."""
        self.values: dict[str, Any] = dict(values or {})

    def bind(self, value: object) -> str:
        """Keep a value, and give the text that stands for it in SQL."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: Sequence[object]) -> str:
        """Keep several values, and give the list that stands for them."""
        return f"({', '.join(self.bind(value) for value in values)})"


class OneOf(Struct, frozen=True):
    """One of these columns has one of these values; with `none`, or the first one has none."""

    columns: tuple[str, ...]
    values: tuple[Any, ...]
    none: bool = False

    def sql(self, parameters: Parameters) -> str:
        """Compare each column, each by its own index."""
        parts = [f"t.{self.columns[0]} IS NULL"] if self.none else []
        if self.values:
            listed = [
                f"t.{column} IN {parameters.bind_all(self.values)}" for column in self.columns
            ]
            parts += listed
        return f"({' OR '.join(parts)})"

    def holds(self, row: Row, made: Made) -> bool:
        """Compare each column."""
        del made
        if self.none and getattr(row, self.columns[0]) is None:
            return True
        return any(getattr(row, column) in self.values for column in self.columns)


class Between(Struct, frozen=True):
    """A column is at or after one value, and before another."""

    column: str
    low: float | None = None
    high: float | None = None

    def sql(self, parameters: Parameters) -> str:
        """Compare with what is given of both."""
        parts = [f"t.{self.column} IS NOT NULL"]
        if self.low is not None:
            parts.append(f"t.{self.column} >= {parameters.bind(self.low)}")
        if self.high is not None:
            parts.append(f"t.{self.column} < {parameters.bind(self.high)}")
        return " AND ".join(parts)

    def holds(self, row: Row, made: Made) -> bool:
        """Compare with what is given of both."""
        del made
        value = getattr(row, self.column)
        return (
            value is not None
            and (self.low is None or value >= self.low)
            and (self.high is None or value < self.high)
        )


class IsSet(Struct, frozen=True):
    """A column is true, or more than nothing."""

    column: str
    kind: str = "boolean"

    def sql(self, parameters: Parameters) -> str:
        """Ask in the form that a partial index has."""
        del parameters
        return {
            "boolean": f"t.{self.column}",
            "count": f"t.{self.column} > 0",
            "text": f"t.{self.column} IS NOT NULL",
        }[self.kind]

    def holds(self, row: Row, made: Made) -> bool:
        """Ask whether there is anything."""
        del made
        return bool(getattr(row, self.column))


class Tagged(Struct, frozen=True):
    """The conversation has one of these tags now; with `none`, or has none at all."""

    tags: tuple[str, ...]
    none: bool = False

    def sql(self, parameters: Parameters) -> str:
        """Look among the intervals that still run."""
        running = "SELECT 1 FROM tags WHERE tags.stream = t.stream AND tags.until IS NULL"
        parts = [f"NOT EXISTS ({running})"] if self.none else []
        if self.tags:
            listed = parameters.bind_all(self.tags)
            names = f"SELECT stream FROM tags WHERE tag IN {listed} AND until IS NULL"  # noqa: S608
            parts.append(f"t.stream IN ({names})")
        return f"({' OR '.join(parts)})"

    def holds(self, row: Row, made: Made) -> bool:
        """Look among the intervals that still run."""
        del row
        rows = (tag for tag in made.get("tags", ()) if isinstance(tag, TagRow))
        running = {tag.tag for tag in rows if tag.until is None}
        return (self.none and not running) or any(tag in running for tag in self.tags)


class Worded(Struct, frozen=True):
    """A word that begins like this is in what a conversation can be found by."""

    word: str

    def sql(self, parameters: Parameters) -> str:
        """Look for words between this one and the next that does not begin like it."""
        low = parameters.bind(self.word)
        high = parameters.bind(_after(self.word))
        found = f"SELECT stream FROM words WHERE word >= {low} AND word < {high}"  # noqa: S608
        return f"t.stream IN ({found})"

    def holds(self, row: Row, made: Made) -> bool:
        """Look at the beginnings of the words."""
        del row
        words = (word.word for word in made.get("words", ()) if isinstance(word, WordRow))
        return any(word.startswith(self.word) for word in words)


Condition = OneOf | Between | IsSet | Tagged | Worded
"""Something that holds of a row or does not; in SQL its table is called `t`."""


def where(conditions: Sequence[Condition], parameters: Parameters) -> str:
    """Give a WHERE clause, or one that always holds."""
    return " AND ".join(condition.sql(parameters) for condition in conditions) or "1 = 1"


def hold(conditions: Sequence[Condition], row: Row, made: Made) -> bool:
    """Tell whether all conditions hold of a row in memory."""
    return all(condition.holds(row, made) for condition in conditions)


def _after(word: str) -> str:
    return f"{word}\U0010ffff"
