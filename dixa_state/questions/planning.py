"""How a list finds its rows: by its rarest condition, or in its own order.

What is best depends on how many rows have a value, and on that a database can be far out: SQLite
knows averages at most and takes any value for rare, PostgreSQL counts on the first fifty of a value
to turn up soon; both then read a whole table for an agent who has nothing. So the rows of each
condition are counted first, no further than `FEW`. The rarest one leads: by an index that has its
rows in the order of the list, or else, if they are few, by reading and sorting them. Where that
cannot be, all rows are read in the order of the list until enough fit. A range in that very order
narrows each of these ways, and is none of its own.

Whatever the counts are, the same rows are found; they decide about the way alone.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dixa_state.questions.conditions import (
    AnyOf,
    Beside,
    Between,
    Condition,
    IsSet,
    OneOf,
    Parameters,
    SlaTagged,
    Tagged,
    Worded,
    all_of,
)
from dixa_state.views.generations import Connection
from dixa_state.views.sql import views_index_columns

FEW = 5_000
"""Rows that can be read and sorted while somebody waits: some 20 ms.

Of a tag or a word it is conversations that are counted, also where the list has several rows each.
"""

_ALL = 2**63 - 1
"""As the limit of a subquery it cuts off nothing, and has the databases read that one first."""


class AccessPath(NamedTuple):
    """The source of a statement, under the name `t`, and the clause that its rows must meet."""

    source: str
    clause: str


class _Counted(NamedTuple):
    """A condition without the alternatives that no row has, and how many rows have the others."""

    condition: Condition
    rows: int
    in_order: bool


def choose_access_path(
    connection: Connection,
    table: str,
    order: Sequence[str],
    conditions: Sequence[Condition],
    parameters: Parameters,
) -> AccessPath:
    """Choose how the rows of a table that meet conditions are found, in the order of columns.

    Of conditions that are equally common, as far as is counted, the last one leads that can.
    """
    if len(conditions) == 1 and _comes_in_order(conditions[0], table, order):
        return AccessPath(table, conditions[0].sql(parameters))
    counted = _counted(connection, table, order, conditions)
    others = [condition.sql(parameters) for condition in conditions if condition not in counted]
    if not counted:
        return AccessPath(table, all_of(others))
    rarest = min(reversed(counted), key=lambda one: (counted[one].rows, not counted[one].in_order))
    lead = counted.pop(rarest)
    others += [_checked(one.condition, parameters) for one in counted.values()]
    if lead.in_order:
        return AccessPath(table, all_of([lead.condition.sql(parameters), *others]))
    if lead.rows < FEW:
        clause = lead.condition.sql(parameters)
        few = f"SELECT * FROM {table} AS t WHERE {clause} LIMIT {_ALL}"  # noqa: S608
        return AccessPath(f"({few})", all_of(others))
    return AccessPath(table, all_of([_checked(lead.condition, parameters), *others]))


def _counted(
    connection: Connection, table: str, order: Sequence[str], conditions: Sequence[Condition]
) -> dict[Condition, _Counted]:
    """Count the rows of each condition that an index finds."""
    apart = (one for one in conditions if not (isinstance(one, Between) and one.column == order[0]))
    found = {one: ways for one in apart if (ways := _alternatives(table, one))}
    counts = _counts(connection, table, [way for ways in found.values() for way in ways])
    made = {}
    for condition, ways in found.items():
        numbers = {way: next(counts) for way in ways}
        some = [way for way, number in numbers.items() if number] or ways[:1]
        kept = some[0] if len(some) == 1 else AnyOf(tuple(some))
        rows = min(sum(numbers.values()), FEW)
        made[condition] = _Counted(kept, rows, _comes_in_order(kept, table, order))
    return made


def _alternatives(table: str, condition: Condition) -> list[Condition]:
    """Split a condition into those of which one has to hold, if an index finds each of them."""
    match condition:
        case OneOf(columns=columns, values=values, none=none):
            ways: list[Condition] = [OneOf((column,), values) for column in columns if values]
            if none:
                ways.append(OneOf(columns[:1], (), none=True))
            indexed = all((column,) in views_index_columns(table) for column in columns)
            return ways if indexed else []
        case Between(column=column):
            return [condition] if (column,) in views_index_columns(table) else []
        case Tagged(none=False) | SlaTagged(none=False) | Worded() | Beside() | IsSet():
            return [condition]
        case AnyOf(conditions=several):
            split = [_alternatives(table, one) for one in several]
            return [way for ways in split for way in ways] if all(split) else []
        case _:
            return []


def _counts(connection: Connection, table: str, ways: Sequence[Condition]) -> Iterator[int]:
    if not ways:
        return iter(())
    parameters = Parameters()
    counts = (
        f"(SELECT count(*) FROM ({_rows(table, way, parameters)} LIMIT {FEW}) AS few)"  # noqa: S608
        for way in ways
    )
    sql = f"SELECT {', '.join(counts)}"
    return iter(connection.run(sql, **parameters.values)[0])


def _rows(table: str, way: Condition, parameters: Parameters) -> str:
    if isinstance(way, Tagged | SlaTagged | Worded | Beside):
        return way.streams(parameters)
    return f"SELECT 1 FROM {table} AS t WHERE {way.sql(parameters)}"  # noqa: S608


def _comes_in_order(condition: Condition, table: str, order: Sequence[str]) -> bool:
    """Return whether an index finds the rows of a condition in an order."""
    match condition:
        case OneOf(columns=(column,), values=values, none=none) if len(values) + none == 1:
            return (column, *order) in views_index_columns(table)
        case _:
            return False


def _checked(condition: Condition, parameters: Parameters) -> str:
    """Write a condition so that it is checked of rows found otherwise, and no index searched."""
    if isinstance(condition, Tagged | SlaTagged | Worded | Beside):
        return condition.of_row(parameters)
    return f"({condition.sql(parameters)}) IS TRUE"
