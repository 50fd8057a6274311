"""Conditions on rows of the views: each one is SQL for a database, and a test for rows in memory.

A list, a count and a page that was asked for a while ago all judge by the same condition, so that a
number always equals the rows behind it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct

from dixa_state.domain.lifecycle import ENDED
from dixa_state.views.generations import Connection, Rows
from dixa_state.views.sql import IN_ENDED

Made = Mapping[str, Sequence[Any]]
"""All rows that one conversation makes, by table."""


class Parameters:
    """Collects values under names of their own, to be bound to a statement."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})

    def bind(self, value: object) -> str:
        """Keep a value, and return the text that stands for it in SQL."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: Sequence[object]) -> str:
        """Keep several values, and return the list that stands for them."""
        return f"({', '.join(self.bind(value) for value in values)})"


class Condition(Struct, frozen=True):
    """Something that holds of a row or does not."""

    def sql(self, parameters: Parameters) -> str:
        """Return the condition in SQL, where the table of the row is called `t`."""
        raise NotImplementedError

    def holds(self, row: Any, made: Made) -> bool:
        """Return whether it holds of a row in memory, one of those that its conversation makes."""
        raise NotImplementedError

    def of_row(self, parameters: Parameters) -> str:
        """Return it for rows that are found otherwise, so that no index is searched for it."""
        return f"({self.sql(parameters)}) IS TRUE"

    def rows(self, table: str, parameters: Parameters) -> str:
        """Return the statement that finds the rows of which it holds, to count them."""
        return f"SELECT 1 FROM {table} AS t WHERE {self.sql(parameters)}"  # noqa: S608


class OfStream(Condition, frozen=True):
    """A condition on what other tables hold of the conversation of a row."""

    def streams(self, parameters: Parameters) -> str:
        """Return the statement that finds the streams of which it holds, by an index."""
        raise NotImplementedError

    def rows(self, table: str, parameters: Parameters) -> str:
        return self.streams(parameters)

    def sql(self, parameters: Parameters) -> str:
        return f"t.stream IN ({self.streams(parameters)})"


class OneOf(Condition, frozen=True):
    """One of these columns has one of these values; with `none`, or the first one has none."""

    columns: tuple[str, ...]
    values: tuple[Any, ...]
    none: bool = False

    def sql(self, parameters: Parameters) -> str:
        parts = [f"t.{self.columns[0]} IS NULL"] if self.none else []
        if self.values:  # each column with a list of its own, since each has an index of its own
            parts += [f"t.{name} IN {parameters.bind_all(self.values)}" for name in self.columns]
        return f"({' OR '.join(parts)})"

    def holds(self, row: Any, made: Made) -> bool:
        if self.none and getattr(row, self.columns[0]) is None:
            return True
        return any(getattr(row, column) in self.values for column in self.columns)


class NoneOf(Condition, frozen=True):
    """A column has none of these values, perhaps because it has no value at all."""

    column: str
    values: tuple[Any, ...]

    def sql(self, parameters: Parameters) -> str:
        listed = parameters.bind_all(self.values)
        return f"(t.{self.column} IS NULL OR t.{self.column} NOT IN {listed})"

    def holds(self, row: Any, made: Made) -> bool:
        return getattr(row, self.column) not in self.values


class HasValue(Condition, frozen=True):
    """A column has a value, or with `wanted` false has none."""

    column: str
    wanted: bool = True

    def sql(self, parameters: Parameters) -> str:
        return f"t.{self.column} IS {'NOT ' if self.wanted else ''}NULL"

    def holds(self, row: Any, made: Made) -> bool:
        return (getattr(row, self.column) is not None) is self.wanted


class Between(Condition, frozen=True):
    """A column is at or after one value, and before another."""

    column: str
    low: float | None = None
    high: float | None = None

    def sql(self, parameters: Parameters) -> str:
        parts = [f"t.{self.column} IS NOT NULL"]
        if self.low is not None:
            parts.append(f"t.{self.column} >= {parameters.bind(self.low)}")
        if self.high is not None:
            parts.append(f"t.{self.column} < {parameters.bind(self.high)}")
        return " AND ".join(parts)

    def holds(self, row: Any, made: Made) -> bool:
        value = getattr(row, self.column)
        return (
            value is not None
            and (self.low is None or value >= self.low)
            and (self.high is None or value < self.high)
        )


class IsSet(Condition, frozen=True):
    """A column is true, or more than nothing."""

    column: str
    kind: str = "boolean"

    def sql(self, parameters: Parameters) -> str:
        return {  # in the form that a partial index has
            "boolean": f"t.{self.column}",
            "count": f"t.{self.column} > 0",
            "text": f"t.{self.column} IS NOT NULL",
        }[self.kind]

    def holds(self, row: Any, made: Made) -> bool:
        return bool(getattr(row, self.column))


class Tagged(OfStream, frozen=True):
    """The conversation has one of these tags now; with `none`, or has none at all."""

    tags: tuple[str, ...]
    none: bool = False
    own: ClassVar = "SELECT 1 FROM tags AS g WHERE g.stream = t.stream AND g.until IS NULL"

    def sql(self, parameters: Parameters) -> str:
        parts = [f"NOT EXISTS ({self.own})"] if self.none else []
        if self.tags:
            parts.append(self.found(parameters))
        return f"({' OR '.join(parts)})"

    def found(self, parameters: Parameters) -> str:
        """Return the condition that it has one of the tags, by the index of these."""
        return super().sql(parameters)

    def streams(self, parameters: Parameters) -> str:
        listed = parameters.bind_all(self.tags)
        return f"SELECT stream FROM tags WHERE tag IN {listed} AND until IS NULL"  # noqa: S608

    def of_row(self, parameters: Parameters) -> str:
        return f"EXISTS ({self.own} AND (g.tag IN {parameters.bind_all(self.tags)}) IS TRUE)"

    def holds(self, row: Any, made: Made) -> bool:
        had = self.had(row, made)
        return (self.none and not had) or not had.isdisjoint(self.tags)

    def had(self, row: Any, made: Made) -> set[str]:
        """Return the tags that count for a row in memory."""
        return {tag.tag for tag in made["tags"] if tag.until is None}


class SlaTagged(Tagged, frozen=True):
    """An SLA evaluation is counted for one of these tags; with `none`, or for no tag at all."""

    own: ClassVar = "SELECT 1 FROM sla_tags AS g WHERE g.stream = t.stream AND g.number = t.number"

    def found(self, parameters: Parameters) -> str:
        listed = parameters.bind_all(self.tags)
        found = f"SELECT g.stream, g.number FROM sla_tags AS g WHERE g.tag IN {listed}"  # noqa: S608
        return f"(t.stream, t.number) IN ({found})"

    def streams(self, parameters: Parameters) -> str:
        return f"SELECT stream FROM sla_tags WHERE tag IN {parameters.bind_all(self.tags)}"  # noqa: S608

    def had(self, row: Any, made: Made) -> set[str]:
        return {tag.tag for tag in made["sla_tags"] if tag.number == row.number}


class NotEnded(Condition, frozen=True):
    """The conversation of a row has not ended."""

    def sql(self, parameters: Parameters) -> str:
        # looks up the one row of the conversation, which no planner can turn into a scan
        status = "SELECT c.status FROM conversations AS c WHERE c.stream = t.stream"
        return f"coalesce(({status}), '') NOT {IN_ENDED}"

    def holds(self, row: Any, made: Made) -> bool:
        return all(one.status not in ENDED for one in made["conversations"])


class Beside(OfStream, frozen=True):
    """In one of these tables, a row of the same conversation meets all conditions given for it."""

    ways: tuple[tuple[str, tuple[Condition, ...]], ...]

    def streams(self, parameters: Parameters) -> str:
        return " UNION ALL ".join(
            f"SELECT t.stream FROM {table} AS t WHERE {where(conditions, parameters)}"  # noqa: S608
            for table, conditions in self.ways
        )

    def of_row(self, parameters: Parameters) -> str:
        beside = f"({self.streams(parameters)}) AS beside"
        return f"EXISTS (SELECT 1 FROM {beside} WHERE beside.stream = t.stream)"  # noqa: S608

    def holds(self, row: Any, made: Made) -> bool:
        return any(
            hold(conditions, one, made) for table, conditions in self.ways for one in made[table]
        )


class Including(Condition, frozen=True):
    """Of what a conversation has several of, it has one of these values, or `every` one.

    Without values any will do. With `wanted` false that must not be so.
    """

    values: tuple[str, ...] = ()
    every: bool = False
    wanted: bool = True
    columns: ClassVar[tuple[str, ...]]

    def having(self, parameters: Parameters) -> str:
        """Return the source of the rows `g` that hold the values in these columns."""
        raise NotImplementedError

    def had(self, made: Made) -> set[str | None]:
        """Return the values that a conversation in memory has."""
        raise NotImplementedError

    def sql(self, parameters: Parameters) -> str:
        rows = self.having(parameters)
        own = f"{rows} AND g.stream = t.stream"
        if not self.values:
            return f"{'' if self.wanted else 'NOT '}EXISTS (SELECT 1 {own})"
        fits = {name: f"g.{name} IN {parameters.bind_all(self.values)}" for name in self.columns}
        if not self.wanted and not self.every:
            return f"NOT EXISTS (SELECT 1 {own} AND ({' OR '.join(fits.values())}))"
        # each column by an index of its own
        found = " UNION ALL ".join(f"SELECT g.stream {rows} AND {fit}" for fit in fits.values())
        some = f"t.stream IN ({found})"
        if not self.every:
            return some
        count, several = self._count(own, fits), len(set(self.values))
        return f"({some} AND {count} = {several})" if self.wanted else f"{count} < {several}"

    def _count(self, own: str, fits: Mapping[str, str]) -> str:
        """Return how many of the values a conversation has."""
        if len(fits) == 1:  # as a subquery it would be read by the index of the values
            [(name, fit)] = fits.items()
            return f"(SELECT count(DISTINCT g.{name}) {own} AND {fit})"
        met = " UNION ".join(f"SELECT g.{name} {own} AND {fit}" for name, fit in fits.items())
        return f"(SELECT count(*) FROM ({met}) AS met)"  # noqa: S608

    def holds(self, row: Any, made: Made) -> bool:
        had, asked = self.had(made), set(self.values)
        met = had >= asked if self.every else not had.isdisjoint(asked)
        return (met if asked else bool(had)) is self.wanted


class Labelled(Including, frozen=True):
    """One of these, or `every` one, is the name or the id of a tag that it has now."""

    columns: ClassVar = ("tag", "tag_id")

    def having(self, parameters: Parameters) -> str:
        return "FROM tags AS g WHERE g.until IS NULL"

    def had(self, made: Made) -> set[str | None]:
        running = [tag for tag in made["tags"] if tag.until is None]
        return {name for tag in running for name in (tag.tag, tag.tag_id)}


class Attributed(Including, frozen=True, kw_only=True):
    """A custom attribute, by its identifier or id, has one of these values, or `every` one."""

    identifier: str
    columns: ClassVar = ("value",)

    def having(self, parameters: Parameters) -> str:
        name = parameters.bind(self.identifier)
        named = f"(g.identifier = {name} OR g.attribute_id = {name})"
        return f"FROM custom_attributes AS g WHERE {named}"

    def had(self, made: Made) -> set[str | None]:
        return {
            one.value
            for one in made["custom_attributes"]
            if self.identifier in (one.identifier, one.attribute_id)
        }


class Worded(OfStream, frozen=True):
    """A word that begins like this, or is this, is in what a conversation can be found by."""

    word: str
    whole: bool = False

    def streams(self, parameters: Parameters) -> str:
        low = parameters.bind(self.word)
        if self.whole:
            return f"SELECT stream FROM words WHERE word = {low}"  # noqa: S608
        high = parameters.bind(f"{self.word}\U0010ffff")  # before the next that begins otherwise
        return f"SELECT stream FROM words WHERE word >= {low} AND word < {high}"  # noqa: S608

    def of_row(self, parameters: Parameters) -> str:
        return f"EXISTS ({self.streams(parameters)} AND words.stream = t.stream)"

    def holds(self, row: Any, made: Made) -> bool:
        words = {word.word for word in made["words"]}
        if self.whole:
            return self.word in words
        return any(word.startswith(self.word) for word in words)


class AllOf(Condition, frozen=True):
    """Each of these conditions holds."""

    conditions: tuple[Condition, ...]

    def sql(self, parameters: Parameters) -> str:
        return f"({where(self.conditions, parameters)})"

    def holds(self, row: Any, made: Made) -> bool:
        return hold(self.conditions, row, made)


class AnyOf(Condition, frozen=True):
    """One of these conditions holds, or more of them."""

    conditions: tuple[Condition, ...]

    def sql(self, parameters: Parameters) -> str:
        parts = [f"({condition.sql(parameters)})" for condition in self.conditions]
        return f"({' OR '.join(parts) or '1 = 0'})"

    def holds(self, row: Any, made: Made) -> bool:
        return any(condition.holds(row, made) for condition in self.conditions)


def where(conditions: Sequence[Condition], parameters: Parameters) -> str:
    """Return a WHERE clause of these conditions."""
    return all_of([condition.sql(parameters) for condition in conditions])


def select(connection: Connection, sql: str, conditions: Sequence[Condition]) -> Rows:
    """Run a statement in which `{where}` stands for conditions, and return its rows."""
    parameters = Parameters()
    statement = sql.format(where=where(conditions, parameters))
    return connection.run(statement, **parameters.values)


def all_of(clauses: Sequence[str]) -> str:
    """Return the conjunction of clauses; without any, one that always holds."""
    return " AND ".join(clauses) or "1 = 1"


def hold(conditions: Sequence[Condition], row: Any, made: Made) -> bool:
    """Return whether all conditions hold of a row in memory."""
    return all(condition.holds(row, made) for condition in conditions)
