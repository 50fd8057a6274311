"""Names as people write them: in any case, and refused where nothing ever had that name.

Those of queues, agents and tags are in the views, those of organizations in their webhooks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic_core import from_json

from dixa_state.dixa.streams import stream_part
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import AmbiguousError, UnknownNameError
from dixa_state.questions.conditions import OneOf, Parameters
from dixa_state.questions.filters import as_stored
from dixa_state.questions.question import NONE, NamesOf, Question
from dixa_state.store.events import decode_state
from dixa_state.views.generations import Connection, Rows

if TYPE_CHECKING:
    from dixa_state.questions.reader import Reader

Q = TypeVar("Q", bound=Question[Any])

_NEAREST = 3
_LEAST_LIKENESS = 0.5


NEWEST = 10_000
"""Rows of each history among which names are looked for first that no index leads to."""


class _Places(NamedTuple):
    """The columns of names: those with an index each, and those of histories, with their time.

    What `conversations` has is what each has now, or had at its end.
    """

    indexed: dict[str, tuple[str, ...]]
    histories: dict[str, tuple[tuple[str, ...], str]]


_QUEUE, _AGENT = ("queue_id", "queue_name"), ("agent_id", "agent_name")
_ASSIGNEE = ("assignee_id", "assignee_name")
_PLACES: dict[str, _Places] = {
    "queue": _Places(
        {"conversations": _QUEUE, "sla_evaluations": _QUEUE},
        {"queue_intervals": (_QUEUE, "since"), "queue_visits": (_QUEUE, "enqueued_at")},
    ),
    "assignee": _Places(
        {"conversations": (*_ASSIGNEE, "assignee_email")},
        {"assignments": ((*_AGENT, "agent_email"), "since")},
    ),
    "agent": _Places(
        {"conversations": _ASSIGNEE, "sla_evaluations": _ASSIGNEE},
        {
            "assignments": (_AGENT, "since"),
            "ratings": (_AGENT, "rated_at"),
            "responses": (_AGENT, "asked_at"),
        },
    ),
    "tag": _Places({"tags": ("tag",)}, {}),
}


def with_known_names(reader: "Reader", question: Q) -> Q:
    """Return the question with its names of queues, agents and tags as they are spelled.

    A name that is in use as it was given stands for itself, another for all that differ from it in
    case only. Raises `UnknownNameError` for one that nothing has, nor ever had.
    """
    fields = {name: kind for name, kind in _fields(type(question)) if getattr(question, name)}
    if not fields:
        return question
    if all(
        value == NONE or _in_use(reader.views.select, _PLACES[kind].indexed, value)
        for name, kind in fields.items()
        for value in getattr(question, name)
    ):
        return question
    with reader.moment() as (connection, _):
        spelled = {
            name: tuple(_spelled(connection, name, kind, getattr(question, name)))
            for name, kind in fields.items()
        }
    return question.model_copy(update=spelled)


def known_pairs(
    connection: Connection, kind: str | None
) -> Iterator[tuple[str | None, str | None]]:
    """Yield id and name of every queue, or of every agent, that there ever was; else nothing."""
    if kind not in ("queue", "agent"):
        return
    indexed, histories = _PLACES[kind]
    columns = {table: columns for table, (columns, _) in histories.items()}
    for table, names in {**columns, "sla_evaluations": indexed["sla_evaluations"]}.items():
        yield from connection.run(f"SELECT DISTINCT {', '.join(names)} FROM {table}")  # noqa: S608


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
        if value == NONE or _in_use(connection.run, _PLACES[kind].indexed, value):
            yield value
            continue
        known = _names(connection, listing_statements(kind)) if known is None else known
        wanted = as_stored(value).casefold()
        if wanted not in known:  # before it is refused, all rows of the histories are read
            known = _names(connection, listing_statements(kind, everything=True))
        if wanted not in known:
            raise unknown_name(field, kind, value, known)
        yield from sorted(known[wanted])


def _in_use(
    select: Callable[..., Rows], indexed: Mapping[str, tuple[str, ...]], value: str
) -> bool:
    table, columns = next(iter(indexed.items()))
    parameters = Parameters()
    clause = OneOf(columns, (as_stored(value),)).sql(parameters)
    sql = f"SELECT 1 FROM {table} AS t WHERE {clause} LIMIT 1"  # noqa: S608
    return bool(select(sql, **parameters.values))


def _names(connection: Connection, statements: Iterator[str]) -> dict[str, set[str]]:
    """Return every spelling of the names listed, by the name without case."""
    known: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        for row in connection.run(statement):
            for name in row:
                if name is not None:
                    known[name.casefold()].add(name)
    return known


def listing_statements(kind: str, *, everything: bool = False) -> Iterator[str]:
    """Yield the statements that list names: by a jump in the index to each, and of the newest rows.

    Neither reads a table of a million rows, which takes a second; for `everything`, the latter do.
    """
    for table, columns in _PLACES[kind].indexed.items():
        for column in columns:
            yield (
                f"WITH RECURSIVE found(name) AS (SELECT min({column}) FROM {table} "  # noqa: S608
                f"UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.name) "
                "FROM found WHERE found.name IS NOT NULL) SELECT name FROM found"
            )
    for table, (columns, time) in _PLACES[kind].histories.items():
        names = ", ".join(columns)
        page = "" if everything else f"ORDER BY {time} DESC LIMIT {NEWEST}"
        yield f"SELECT DISTINCT {names} FROM (SELECT {names} FROM {table} {page}) AS page"  # noqa: S608


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
        hint = "nothing known is like it" if known else "none is known yet"
    return UnknownNameError(
        f"{field}: expected the name of a known {kind}, got {shorten(value)!r}; {hint}"
    )


_KINDS = ("conversation", "enduser", "ip")


class Organizations:
    """The names of the organizations of a store, each read once."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._names: dict[str | None, str] = {}

    @property
    def are_several(self) -> bool:
        """Return whether the conversations are of more than one organization."""
        sql = "SELECT min(stream), max(stream) FROM conversations"
        with self._reader.moment() as (connection, _):
            [(first, last)] = connection.run(sql)
        return first is not None and first.split("/")[1] != last.split("/")[1]

    def name(self, organization_id: str | None, position: int) -> str:
        """Return the name by the event at this position, one of theirs; else the id."""
        if organization_id not in self._names:
            self._names[organization_id] = self._read(position) or organization_id or ""
        return self._names[organization_id]

    def _read(self, position: int) -> str | None:
        stored = self._reader.tracker.event_recorder.select_notifications(position, 1)
        name = _organization_in(stored[0].state).get("name") if stored else None
        return name if isinstance(name, str) else None

    def has(self, organization_id: str) -> bool:
        """Return whether there are events of an organization, by jumps in the index."""
        next_stream = self._reader.tracker.event_recorder.next_stream
        begins = (f"{kind}/{stream_part(organization_id)}/" for kind in _KINDS)
        return any((next_stream(begin) or "").startswith(begin) for begin in begins)

    def all(self) -> dict[str, str]:
        """Return the id and name of each, as the first event of one of their streams has them."""
        recorder = self._reader.tracker.event_recorder
        found = [
            _organization_in(event.state)
            for kind in _KINDS
            for stream in recorder.first_streams(kind)
            for event in recorder.select_events(stream, limit=1)
        ]
        return {str(one["id"]): str(one.get("name") or "") for one in found if one.get("id")}


def _organization_in(state: bytes) -> dict[str, Any]:
    body = from_json(decode_state(state).body)
    shown = body.get("organization") if isinstance(body, dict) else None
    return shown if isinstance(shown, dict) else {}


def with_known_organization(reader: "Reader", question: Q) -> Q:
    """Return the question with the id of its organization, which may be given by name.

    Raises `UnknownNameError` where there is none, `AmbiguousError` where several have the name.
    """
    wanted, organizations = question.organization, Organizations(reader)
    if not wanted or organizations.has(wanted):
        return question
    ids: dict[str, list[str]] = defaultdict(list)
    spelled: dict[str, set[str]] = defaultdict(set)
    for key, name in organizations.all().items():
        ids[name.casefold()].append(key)
        for one in filter(None, (key, name)):
            spelled[one.casefold()].add(one)
    match ids[wanted.casefold()]:
        case []:
            raise unknown_name("organization", "organization", wanted, spelled)
        case [key]:
            return question.model_copy(update={"organization": key})
        case several:
            raise AmbiguousError(
                f"organization: expected the id of one named {shorten(wanted)!r}: "
                f"{', '.join(several)}"
            )
