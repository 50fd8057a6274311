"""How a list finds its rows: by its rarest condition, or in its own order.

What is best depends on how many rows have a value, and on that a database can be far out: SQLite
knows averages at most and takes any value for rare, PostgreSQL counts on the first fifty of a value
to turn up soon; both then read a whole table for an agent who has nothing. So where a list has
several conditions, the rows of each are counted first, no further than `FEW`. The rarest one leads:
by indexes that have its rows in the order of the list, or else, if they are few, by reading and
sorting them. Where that cannot be, all rows are read in the order of the list until enough fit. A
range in that very order narrows each of these ways, and is none of its own.

The indexes of conversations have the status behind the value, since most lists are of a status and
one thing more. A list of all statuses, or of several values, has as many branches, of each of which
no more is read than fits the page.

Whatever the counts are, the same rows are found; they decide about the way alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dixa_state.domain.lifecycle import STATUSES
from dixa_state.questions.conditions import (
    AllOf,
    AnyOf,
    Beside,
    Between,
    Condition,
    HasValue,
    IsSet,
    NoneOf,
    OneOf,
    Parameters,
    Tagged,
    Worded,
    all_of,
    where,
)
from dixa_state.views.generations import Connection
from dixa_state.views.sql import views_index_columns

FEW = 5_000
"""Rows that can be read and sorted while somebody waits: some 20 ms.

Of a tag or a word it is conversations that are counted, also where the list has several rows each.
"""

_MOST_BRANCHES = 32
"""More are not merged: each begins with a search of its own."""

_ANY_STATUS = OneOf(("status",), STATUSES, none=True)
_ALL = 2**63 - 1
"""As the limit of a subquery it cuts off nothing, and has the databases read that one first."""


class AccessPath(NamedTuple):
    """The source of a statement, under the name `t`, and the clause that its rows must meet.

    Of branches, each is a clause more, whose rows an index has in the order of the list. They share
    no row.
    """

    source: str
    clause: str
    branches: tuple[str, ...] = ()


class _Branch(NamedTuple):
    """A part of a condition that an index finds in order, and what keeps it apart from others."""

    found: Condition
    apart: tuple[Condition, ...] = ()


class _Counted(NamedTuple):
    """The parts of a condition that any row has, how many rows have them, and if in order."""

    parts: Sequence[_Branch]
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
    status = next((one for one in conditions if _is_status(one)), _ANY_STATUS)
    branches = {one: _branches(table, order, one, status) for one in conditions}
    leading = [one for one in conditions if one is not status] or list(conditions)
    if len(leading) == 1 and (found := branches[leading[0]]):
        checked = [one.of_row(parameters) for one in conditions if one is not leading[0]]
        return _union(table, found, checked, parameters)
    counted = _counted(connection, table, order, branches)
    if not counted:
        return AccessPath(table, where(conditions, parameters))
    rarest = min(reversed(counted), key=lambda one: (counted[one].rows, not counted[one].in_order))
    lead = counted.pop(rarest)
    clauses = [
        one.of_row(parameters) if one in counted else one.sql(parameters)
        for one in conditions
        if one is not rarest
    ]
    if lead.in_order:
        return _union(table, lead.parts, clauses, parameters)
    if lead.rows < FEW:
        clause = AnyOf(tuple(part.found for part in lead.parts)).sql(parameters)
        few = f"SELECT * FROM {table} AS t WHERE {clause} LIMIT {_ALL}"  # noqa: S608
        return AccessPath(f"({few})", all_of(clauses))
    return AccessPath(table, all_of([rarest.of_row(parameters), *clauses]))


def _union(
    table: str, branches: Sequence[_Branch], others: Sequence[str], parameters: Parameters
) -> AccessPath:
    found = tuple(where((branch.found, *branch.apart), parameters) for branch in branches)
    if len(found) == 1:
        return AccessPath(table, all_of([*found, *others]))
    return AccessPath(table, all_of(others), found)


def _is_status(condition: Condition) -> bool:
    return isinstance(condition, OneOf) and condition.columns == ("status",)


def _branches(
    table: str, order: Sequence[str], condition: Condition, status: Condition
) -> list[_Branch]:
    """Split a condition into branches that share no row; empty where that cannot be."""
    made: list[_Branch] = []
    for (part, apart), columns, rows in _parts(condition):
        indexed = views_index_columns(table, rows)
        if (*columns, *order) in indexed:
            made.append(_Branch(part, apart))
        elif (*columns, "status", *order) in indexed:
            made += [_Branch(AllOf((part, one)), apart) for (one, _), _, _ in _parts(status)]
        else:
            return []
    return made if len(made) <= _MOST_BRANCHES else []


def _parts(condition: Condition) -> Iterator[tuple[_Branch, tuple[str, ...], str | None]]:
    """Yield the parts of a condition, and which index each needs.

    That is the columns with one value in the part, and the rows that the index is of if not of all.
    """
    match condition:
        case IsSet():
            yield _Branch(condition), (), condition.sql(Parameters()).removeprefix("t.")
        case OneOf(columns=columns, values=values, none=none):
            if none:
                yield _Branch(OneOf(columns[:1], (), none=True)), columns[:1], None
            for number, column in enumerate(columns):
                apart: list[Condition] = [NoneOf(before, values) for before in columns[:number]]
                apart += [HasValue(columns[0])] if none and number else []
                for value in dict.fromkeys(values):  # given twice, it is one branch
                    yield _Branch(OneOf((column,), (value,)), tuple(apart)), (column,), None


def _counted(
    connection: Connection,
    table: str,
    order: Sequence[str],
    branches: Mapping[Condition, Sequence[_Branch]],
) -> dict[Condition, _Counted]:
    """Count the rows of each condition that an index finds."""
    found = {
        one: branches[one] or [_Branch(way) for way in _alternatives(table, one)]
        for one in branches
        if not (isinstance(one, Between) and one.column == order[0])
    }
    parameters = Parameters()
    counted = [
        f"(SELECT count(*) FROM ({part.found.rows(table, parameters)} LIMIT {FEW}) AS few)"  # noqa: S608
        for parts in found.values()
        for part in parts
    ]
    if not counted:
        return {}
    counts = iter(connection.run(f"SELECT {', '.join(counted)}", **parameters.values)[0])
    made = {}
    for condition, parts in found.items():
        if parts:
            numbers = [next(counts) for _ in parts]
            some = [part for part, rows in zip(parts, numbers, strict=True) if rows] or parts[:1]
            made[condition] = _Counted(some, min(sum(numbers), FEW), bool(branches[condition]))
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
        case Tagged(none=False) | Worded() | Beside() | IsSet():
            return [condition]
        case AnyOf(conditions=several):
            split = [_alternatives(table, one) for one in several]
            return [way for ways in split for way in ways] if all(split) else []
        case _:
            return []
