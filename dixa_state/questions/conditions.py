"""Conditions on rows of the views: each one is SQL for a database, and a test for rows in memory.

A list, a count and a page that was asked for a while ago all judge by the same condition, so that a
number always equals the rows behind it.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from dixa_state.views.tables import AttributeRow, Row, SlaTagRow, TagRow, WordRow

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


class NoneOf(Struct, frozen=True):
    """A column has none of these values, perhaps because it has no value at all."""

    column: str
    values: tuple[Any, ...]

    def sql(self, parameters: Parameters) -> str:
        """Compare, and let what has no value pass."""
        listed = parameters.bind_all(self.values)
        return f"(t.{self.column} IS NULL OR t.{self.column} NOT IN {listed})"

    def holds(self, row: Row, made: Made) -> bool:
        """Compare; None is in no list."""
        del made
        return getattr(row, self.column) not in self.values


class HasValue(Struct, frozen=True):
    """A column has a value, or with `wanted` false has none."""

    column: str
    wanted: bool = True

    def sql(self, parameters: Parameters) -> str:
        """Ask for NULL."""
        del parameters
        return f"t.{self.column} IS {'NOT ' if self.wanted else ''}NULL"

    def holds(self, row: Row, made: Made) -> bool:
        """Ask for None."""
        del made
        return (getattr(row, self.column) is not None) is self.wanted


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
            parts.append(f"t.stream IN ({self.streams(parameters)})")
        return f"({' OR '.join(parts)})"

    def streams(self, parameters: Parameters) -> str:
        """Find the streams that have one of the tags."""
        listed = parameters.bind_all(self.tags)
        return f"SELECT stream FROM tags WHERE tag IN {listed} AND until IS NULL"  # noqa: S608

    def of_row(self, parameters: Parameters) -> str:
        """Look at the tags of each row, where rows are found otherwise."""
        fits = f"(tag IN {parameters.bind_all(self.tags)}) IS TRUE"
        running = "SELECT 1 FROM tags WHERE tags.stream = t.stream AND tags.until IS NULL"
        return f"EXISTS ({running} AND {fits})"

    def holds(self, row: Row, made: Made) -> bool:
        """Look among the intervals that still run."""
        del row
        rows = (tag for tag in made.get("tags", ()) if isinstance(tag, TagRow))
        running = {tag.tag for tag in rows if tag.until is None}
        return (self.none and not running) or any(tag in running for tag in self.tags)


class SlaTagged(Struct, frozen=True):
    """An SLA evaluation is counted for one of these tags; with `none`, or for no tag at all."""

    tags: tuple[str, ...]
    none: bool = False

    def sql(self, parameters: Parameters) -> str:
        """Look for the evaluations by an index."""
        own = "SELECT 1 FROM sla_tags AS g WHERE g.stream = t.stream AND g.number = t.number"
        parts = [f"NOT EXISTS ({own})"] if self.none else []
        if self.tags:
            listed = parameters.bind_all(self.tags)
            found = f"SELECT g.stream, g.number FROM sla_tags AS g WHERE g.tag IN {listed}"  # noqa: S608
            parts.append(f"(t.stream, t.number) IN ({found})")
        return f"({' OR '.join(parts)})"

    def streams(self, parameters: Parameters) -> str:
        """Find the streams that have such an evaluation."""
        return f"SELECT stream FROM sla_tags WHERE tag IN {parameters.bind_all(self.tags)}"  # noqa: S608

    def of_row(self, parameters: Parameters) -> str:
        """Look at the tags of each row, where rows are found otherwise."""
        own = "SELECT 1 FROM sla_tags AS g WHERE g.stream = t.stream AND g.number = t.number"
        return f"EXISTS ({own} AND (g.tag IN {parameters.bind_all(self.tags)}) IS TRUE)"

    def holds(self, row: Row, made: Made) -> bool:
        """Look among the tags of the evaluation."""
        rows = (tag for tag in made.get("sla_tags", ()) if isinstance(tag, SlaTagRow))
        had = {tag.tag for tag in rows if tag.number == getattr(row, "number", None)}
        return (self.none and not had) or not had.isdisjoint(self.tags)


class NotEnded(Struct, frozen=True):
    """The conversation of a row has not ended."""

    def sql(self, parameters: Parameters) -> str:
        """Look up the one row of the conversation, which no planner can turn into a scan."""
        del parameters
        status = "SELECT c.status FROM conversations AS c WHERE c.stream = t.stream"
        return f"coalesce(({status}), '') NOT IN ('closed', 'abandoned')"

    def holds(self, row: Row, made: Made) -> bool:
        """Look at the row of the conversation."""
        del row
        rows = made.get("conversations", ())
        return all(getattr(one, "status", None) not in ("closed", "abandoned") for one in rows)


class Beside(Struct, frozen=True):
    """In one of these tables, a row of the same conversation meets all conditions given for it."""

    ways: tuple[tuple[str, tuple["Condition", ...]], ...]

    def sql(self, parameters: Parameters) -> str:
        """Look for the streams of such rows."""
        return f"t.stream IN ({self.streams(parameters)})"

    def streams(self, parameters: Parameters) -> str:
        """Find the streams that have such a row, one table after the other."""
        return " UNION ALL ".join(
            f"SELECT t.stream FROM {table} AS t WHERE {where(conditions, parameters)}"  # noqa: S608
            for table, conditions in self.ways
        )

    def of_row(self, parameters: Parameters) -> str:
        """Look at the rows beside each row, where rows are found otherwise."""
        beside = f"({self.streams(parameters)}) AS beside"
        return f"EXISTS (SELECT 1 FROM {beside} WHERE beside.stream = t.stream)"  # noqa: S608

    def holds(self, row: Row, made: Made) -> bool:
        """Look at the rows of the tables."""
        del row
        return any(
            hold(conditions, one, made)
            for table, conditions in self.ways
            for one in made.get(table, ())
        )


class Labelled(Struct, frozen=True):
    """One of these, or `every` one, is the name or the id of a tag that the conversation has now.

    Without keys any tag will do. With `wanted` false that must not be so.
    """

    keys: tuple[str, ...] = ()
    every: bool = False
    wanted: bool = True

    def sql(self, parameters: Parameters) -> str:
        """Look for the streams by an index each, or from each stream for what it must not have."""
        running = "FROM tags AS g WHERE g.until IS NULL"
        own = f"{running} AND g.stream = t.stream"
        if not self.keys:
            return f"{_NOT[self.wanted]}EXISTS (SELECT 1 {own})"
        by_name, by_id = (f"g.{c} IN {parameters.bind_all(self.keys)}" for c in ("tag", "tag_id"))
        some = (
            f"t.stream IN (SELECT g.stream {running} AND {by_name} "
            f"UNION ALL SELECT g.stream {running} AND {by_id})"
        )
        if self.every:
            met = f"SELECT g.tag {own} AND {by_name} UNION SELECT g.tag_id {own} AND {by_id}"
            count = f"(SELECT count(*) FROM ({met}) AS met)"  # noqa: S608
            several = len(set(self.keys))
            return f"({some} AND {count} = {several})" if self.wanted else f"{count} < {several}"
        return some if self.wanted else f"NOT EXISTS (SELECT 1 {own} AND ({by_name} OR {by_id}))"

    def holds(self, row: Row, made: Made) -> bool:
        """Look among the intervals that still run."""
        del row
        rows = (tag for tag in made.get("tags", ()) if isinstance(tag, TagRow))
        had = {name for tag in rows if tag.until is None for name in (tag.tag, tag.tag_id)}
        return _meets(had, self.keys, every=self.every) is self.wanted


class Attributed(Struct, frozen=True):
    """A custom attribute, by its identifier or id, has one of these values, or `every` one.

    Without values any will do. With `wanted` false that must not be so.
    """

    identifier: str
    values: tuple[str, ...] = ()
    every: bool = False
    wanted: bool = True

    def sql(self, parameters: Parameters) -> str:
        """Look for the streams by the values, or from each stream for what it must not have."""
        name = parameters.bind(self.identifier)
        named = f"(a.identifier = {name} OR a.attribute_id = {name})"
        of_it = f"FROM custom_attributes AS a WHERE {named}"
        own = f"{of_it} AND a.stream = t.stream"
        if not self.values:
            return f"{_NOT[self.wanted]}EXISTS (SELECT 1 {own})"
        fits = f"a.value IN {parameters.bind_all(self.values)}"
        some = f"t.stream IN (SELECT a.stream {of_it} AND {fits})"
        if self.every:
            count = f"(SELECT count(DISTINCT a.value) {own} AND {fits})"
            several = len(set(self.values))
            return f"({some} AND {count} = {several})" if self.wanted else f"{count} < {several}"
        return some if self.wanted else f"NOT EXISTS (SELECT 1 {own} AND {fits})"

    def holds(self, row: Row, made: Made) -> bool:
        """Look at all its values."""
        del row
        rows = made.get("custom_attributes", ())
        had = {
            one.value
            for one in rows
            if isinstance(one, AttributeRow)
            and self.identifier in (one.identifier, one.attribute_id)
        }
        return _meets(had, self.values, every=self.every) is self.wanted


_NOT = {True: "", False: "NOT "}


def _meets(had: AbstractSet[str | None], wanted: Sequence[str], *, every: bool) -> bool:
    if not wanted:
        return bool(had)
    return had >= set(wanted) if every else not had.isdisjoint(wanted)


class Lasted(Struct, frozen=True):
    """From creation to its end, or to `now` where it still runs, it took so many seconds.

    At least as many, or with `most` at most as many. `now` is in microseconds.
    """

    seconds: float
    now: int
    most: bool = False

    def sql(self, parameters: Parameters) -> str:
        """Compare what has ended by its duration, and what runs by its creation."""
        seconds, at = parameters.bind(self.seconds), parameters.bind(self._began)
        ended, running = ("<=", ">=") if self.most else (">=", "<=")
        return (
            f"(t.duration {ended} {seconds} "
            f"OR (t.duration IS NULL AND t.created_at {running} {at}))"
        )

    def holds(self, row: Row, made: Made) -> bool:
        """Compare what has ended by its duration, and what runs by its creation."""
        del made
        duration, created = getattr(row, "duration", None), getattr(row, "created_at", 0)
        if duration is None:
            return bool(created >= self._began if self.most else created <= self._began)
        return bool(duration <= self.seconds if self.most else duration >= self.seconds)

    @property
    def _began(self) -> int:
        return self.now - round(self.seconds * 1_000_000)


class Worded(Struct, frozen=True):
    """A word that begins like this, or is this, is in what a conversation can be found by."""

    word: str
    whole: bool = False

    def sql(self, parameters: Parameters) -> str:
        """Look for words between this one and the next that does not begin like it."""
        return f"t.stream IN ({self.streams(parameters)})"

    def streams(self, parameters: Parameters) -> str:
        """Find the streams that have such a word."""
        low = parameters.bind(self.word)
        if self.whole:
            return f"SELECT stream FROM words WHERE word = {low}"  # noqa: S608
        high = parameters.bind(_after(self.word))
        return f"SELECT stream FROM words WHERE word >= {low} AND word < {high}"  # noqa: S608

    def of_row(self, parameters: Parameters) -> str:
        """Look at the words of each row, where rows are found otherwise."""
        return f"EXISTS ({self.streams(parameters)} AND words.stream = t.stream)"

    def holds(self, row: Row, made: Made) -> bool:
        """Look at the words, or at their beginnings."""
        del row
        words = {word.word for word in made.get("words", ()) if isinstance(word, WordRow)}
        if self.whole:
            return self.word in words
        return any(word.startswith(self.word) for word in words)


class AllOf(Struct, frozen=True):
    """Each of these conditions holds."""

    conditions: tuple["Condition", ...]

    def sql(self, parameters: Parameters) -> str:
        """Ask for all of them."""
        return f"({' AND '.join(_apart(self.conditions, parameters)) or '1 = 1'})"

    def holds(self, row: Row, made: Made) -> bool:
        """Ask for all of them."""
        return all(condition.holds(row, made) for condition in self.conditions)


class AnyOf(Struct, frozen=True):
    """One of these conditions holds, or more of them."""

    conditions: tuple["Condition", ...]

    def sql(self, parameters: Parameters) -> str:
        """Ask for one of them."""
        return f"({' OR '.join(_apart(self.conditions, parameters)) or '1 = 0'})"

    def holds(self, row: Row, made: Made) -> bool:
        """Ask for one of them."""
        return any(condition.holds(row, made) for condition in self.conditions)


Condition = (
    OneOf
    | NoneOf
    | HasValue
    | Between
    | IsSet
    | Tagged
    | SlaTagged
    | NotEnded
    | Beside
    | Labelled
    | Attributed
    | Lasted
    | Worded
    | AllOf
    | AnyOf
)
"""Something that holds of a row or does not; in SQL its table is called `t`."""


def _apart(conditions: Sequence[Condition], parameters: Parameters) -> list[str]:
    return [f"({condition.sql(parameters)})" for condition in conditions]


def where(conditions: Sequence[Condition], parameters: Parameters) -> str:
    """Return a WHERE clause of these conditions."""
    return all_of([condition.sql(parameters) for condition in conditions])


def all_of(clauses: Sequence[str]) -> str:
    """Return the conjunction of clauses; without any, one that always holds."""
    return " AND ".join(clauses) or "1 = 1"


def hold(conditions: Sequence[Condition], row: Row, made: Made) -> bool:
    """Return whether all conditions hold of a row in memory."""
    return all(condition.holds(row, made) for condition in conditions)


def _after(word: str) -> str:
    return f"{word}\U0010ffff"
