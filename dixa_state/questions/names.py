"""Names as people write them: in any case, and refused where nothing ever had that name."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from dixa_state.domain.timestamps import shorten
from dixa_state.errors import UnknownNameError
from dixa_state.questions.conditions import OneOf, Parameters
from dixa_state.questions.filters import as_stored
from dixa_state.questions.question import NONE, NamesOf, Question
from dixa_state.views.generations import Connection

if TYPE_CHECKING:
    from dixa_state.questions.reader import Reader

Q = TypeVar("Q", bound=Question[Any])

_NEAREST = 3
_LEAST_LIKENESS = 0.5


class _Places(NamedTuple):
    """Where names are found by an index now, and the statements that list those of all times."""

    table: str
    columns: tuple[str, ...]
    ever: tuple[str, ...]


_PLACES: dict[str, _Places] = {
    "queue": _Places(
        "conversations",
        ("queue_id", "queue_name"),
        (
            "SELECT DISTINCT queue_id, queue_name FROM queue_intervals",
            "SELECT DISTINCT queue_id, queue_name FROM queue_visits",
            "SELECT DISTINCT queue_id, queue_name FROM sla_evaluations",
        ),
    ),
    "assignee": _Places(
        "conversations",
        ("assignee_id", "assignee_name", "assignee_email"),
        ("SELECT DISTINCT agent_id, agent_name, agent_email FROM assignments",),
    ),
    "agent": _Places(
        "conversations",
        ("assignee_id", "assignee_name"),
        (
            "SELECT DISTINCT agent_id, agent_name FROM assignments",
            "SELECT DISTINCT assignee_id, assignee_name FROM sla_evaluations",
            "SELECT DISTINCT agent_id, agent_name FROM ratings",
            "SELECT DISTINCT agent_id, agent_name FROM responses",
        ),
    ),
    "tag": _Places("tags", ("tag",), ("SELECT DISTINCT tag FROM tags",)),
}


def with_known_names(reader: "Reader", question: Q) -> Q:
    """Return the question with its names of queues, agents and tags as they are spelled.

    A name that is in use as it was given stands for itself, another for all that differ from it in
    case only. Raises `UnknownNameError` for one that nothing ever had.
    """
    fields = {name: kind for name, kind in _fields(type(question)) if getattr(question, name)}
    if not fields:
        return question
    with reader.moment() as (connection, _):
        spelled = {
            name: tuple(_spelled(connection, name, kind, getattr(question, name)))
            for name, kind in fields.items()
        }
    return question.model_copy(update=spelled)


def known_pairs(
    connection: Connection, kind: Literal["queue", "agent"]
) -> Iterator[tuple[str | None, str | None]]:
    """Yield id and name of every queue, or of every agent, that there ever was."""
    for statement in _PLACES[kind].ever:
        yield from connection.run(statement)


def _fields(question: type[Question[Any]]) -> Iterator[tuple[str, str]]:
    for name, field in question.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, NamesOf):
                yield name, mark.kind


def _spelled(
    connection: Connection, field: str, kind: str, values: tuple[str, ...]
) -> Iterator[str]:
    known: dict[str, set[str]] | None = None
    for value in values:
        if value == NONE or _in_use(connection, _PLACES[kind], value):
            yield value
            continue
        known = _all_names(connection, _PLACES[kind]) if known is None else known
        found = known.get(as_stored(value).casefold())
        if found is None:
            raise unknown_name(field, kind, value, known)
        yield from sorted(found)


def _in_use(connection: Connection, places: _Places, value: str) -> bool:
    parameters = Parameters()
    clause = OneOf(places.columns, (as_stored(value),)).sql(parameters)
    sql = f"SELECT 1 FROM {places.table} AS t WHERE {clause} LIMIT 1"  # noqa: S608
    return bool(connection.run(sql, **parameters.values))


def _all_names(connection: Connection, places: _Places) -> dict[str, set[str]]:
    """Return every spelling of every name, by the name without case."""
    known: dict[str, set[str]] = defaultdict(set)
    for statement in places.ever:
        for row in connection.run(statement):
            for name in row:
                if name is not None:
                    known[name.casefold()].add(name)
    return known


def unknown_name(
    field: str, kind: str, value: str, known: Mapping[str, set[str]]
) -> UnknownNameError:
    """Return the error for a name that nothing has, with the nearest that are known."""
    wanted = as_stored(value).casefold()
    near = get_close_matches(wanted, known, n=_NEAREST, cutoff=_LEAST_LIKENESS)
    nearest = sorted({name for one in near for name in known[one]})
    if nearest:
        hint = f"the nearest known: {', '.join(map(shorten, nearest))}"
    else:
        hint = f"none of the {len(known):,} known is like it" if known else "none is known yet"
    return UnknownNameError(
        f"{field}: expected the name of a known {kind}, got {shorten(value)!r}; {hint}"
    )
