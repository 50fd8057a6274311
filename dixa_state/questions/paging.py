"""Pages of rows in an order, and the keys by which they go on.

All pages of a list are of the moment of the first one: conversations that have moved on since are
folded as they were then.
"""

import json
from abc import abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.states import decode_conversation
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError
from dixa_state.questions.conditions import Condition, Made, Parameters, hold
from dixa_state.questions.planning import AccessPath, choose_access_path
from dixa_state.questions.question import Page, PagedQuestion
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection
from dixa_state.views.rows import rows
from dixa_state.views.tables import TABLES, group, micros

T = TypeVar("T")

Keyed = tuple[tuple[Any, ...], T]
"""An item and its place in the order: nothing but texts and numbers, so that JSON can hold it."""

_BATCH = 200
"""Rows that are read at a time where each must be folded before it is known to fit."""


class Cursor(NamedTuple):
    """Where a listing stands: of which moment it is, and after which row it goes on.

    `now` is the time of the first page in microseconds, where what fits depends on it.
    """

    position: int
    after: tuple[Any, ...] | None
    now: int | None = None


class Narrowed(NamedTuple):
    """A WHERE clause that leaves out what cannot fit as of a moment, with its parameters."""

    clause: str
    parameters: dict[str, Any]
    as_of: datetime | None = None
    known_at: datetime | None = None


class Item(NamedTuple):
    """A row of a listing: its place, its conversation, the row itself and the state, if known.

    A row of conversations is read as the state alone.
    """

    key: tuple[Any, ...]
    stream: str
    row: Any
    state: Conversation | None


@dataclass(frozen=True)
class Listing:
    """A table, in an order, under conditions; of conversations also as they were at a moment."""

    table: str
    columns: tuple[str, ...]
    conditions: Sequence[Condition]
    descending: bool = False
    narrowed: Narrowed | None = None

    def page(
        self,
        reader: Reader,
        question: PagedQuestion[Any],
        conditions_at: Callable[[int], Sequence[Condition]] | None = None,
    ) -> Page[Item]:
        """Return the page that a question asks for.

        `conditions_at` makes conditions that depend on the time, of its microseconds: for all pages
        that of the first one.
        """
        with reader.moment() as (connection, at):
            return self.page_of(reader, connection, at.position, question, conditions_at)

    def page_of(
        self,
        reader: Reader,
        connection: Connection,
        position: int,
        question: PagedQuestion[Any],
        conditions_at: Callable[[int], Sequence[Condition]] | None = None,
    ) -> Page[Item]:
        """Return the page in a transaction that is open; one more row shows whether one follows."""
        cursor, listing = read_cursor(question, position, self.kinds), self
        if conditions_at is not None:
            now = micros(reader.now()) if cursor.now is None else cursor.now
            cursor = cursor._replace(now=now)
            listing = replace(self, conditions=conditions_at(now))
        limit = question.page_limit
        read = listing._read if self.narrowed is None else listing._read_as_of  # noqa: SLF001
        found = read(reader, connection, cursor, limit)
        found.sort(key=lambda item: item.key, reverse=self.descending)
        items = found[:limit]
        key = None
        if len(found) > limit:
            key = write_key(cursor._replace(after=items[-1].key), question.asked)
        return Page(items, key, cursor.position)

    @property
    def kinds(self) -> list[type]:
        """The types that a place in the order has."""
        return [str if column == "stream" else int for column in self.columns]

    def _read(
        self, reader: Reader, connection: Connection, cursor: Cursor, limit: int
    ) -> list[Item]:
        """Read the next rows, and those of conversations that moved on as they were then."""
        moved = _moved(connection, cursor)
        found = self.select(connection, cursor, limit + 1)
        for stream in moved:
            found += self.pick(stream, reader.state_at(stream, cursor.position), cursor)
        return found

    def _read_as_of(
        self, reader: Reader, connection: Connection, cursor: Cursor, limit: int
    ) -> list[Item]:
        """Fold conversations as they were, in order, until a page is full.

        Those that have moved on since the first page keep the place that they had on it.
        """
        moment = (self.narrowed.as_of, self.narrowed.known_at) if self.narrowed else ()
        found: list[Item] = []
        for stream in _moved(connection, cursor):
            for row in _made(stream, reader.state_at(stream, cursor.position))[self.table]:
                state = reader.state_at(stream, cursor.position, *moment)
                found += self.pick(stream, state, cursor, self._item(row).key)
        at, unmoved = cursor, 0
        while unmoved <= limit:
            candidates = self.select(connection, at, _BATCH)
            for candidate in candidates:
                state = reader.state_at(candidate.stream, cursor.position, *moment)
                picked = self.pick(candidate.stream, state, cursor, candidate.key)
                found, unmoved = found + picked, unmoved + len(picked)
            if len(candidates) < _BATCH:
                break
            at = at._replace(after=candidates[-1].key)
        return found

    def select(self, connection: Connection, cursor: Cursor, limit: int) -> list[Item]:
        """Select rows after the cursor, of those that have not moved on since the first page."""
        sql, values = self.statement(connection, cursor, limit)
        found = connection.run(sql, **values)
        if self.table == "conversations":
            return [
                Item(tuple(place), place[-1], None, decode_conversation(bytes(state)))
                for *place, state in found
            ]
        row_type: Any = TABLES[self.table]
        return [self._item(row_type._make(row)) for row in found]

    def statement(
        self, connection: Connection, cursor: Cursor, limit: int
    ) -> tuple[str, dict[str, Any]]:
        """Return the statement that selects, and its parameters."""
        if self.narrowed:
            parameters = Parameters(self.narrowed.parameters)
            path = AccessPath(self.table, self.narrowed.clause)
        else:
            parameters = Parameters()
            path = choose_access_path(
                connection, self.table, self.columns, self.conditions, parameters
            )
        clauses = [path.clause]
        if cursor.after is not None:
            bound = ", ".join(parameters.bind(value) for value in cursor.after)
            compared = "<" if self.descending else ">"
            clauses.append(f"({self._listed('t')}) {compared} ({bound})")
        clauses.append(self._unmoved(parameters.bind(cursor.position)))
        most = parameters.bind(limit)
        columns = TABLES[self.table]._fields
        if self.table == "conversations":
            columns = (*self.columns, "state")
        wanted = ", ".join(f"t.{column}" for column in columns)
        if not path.branches:
            sql = f"SELECT {wanted} FROM {path.source} AS t WHERE {' AND '.join(clauses)}"  # noqa: S608
            return f"{sql} {self._order('t')} LIMIT {most}", parameters.values
        found = " UNION ALL ".join(
            f"SELECT * FROM (SELECT {self._listed('t')} FROM {path.source} AS t "  # noqa: S608
            f"WHERE {' AND '.join([branch, *clauses])} {self._order('t')} LIMIT {most}) AS found"
            for branch in path.branches
        )
        page = f"SELECT * FROM ({found}) AS found {self._order('found')} LIMIT {most}"  # noqa: S608
        same = " AND ".join(f"t.{column} = page.{column}" for column in self.columns)
        # SQLite keeps to the order of a CROSS JOIN, and looks each row of the page up by its key
        sql = f"SELECT {wanted} FROM ({page}) AS page CROSS JOIN {path.source} AS t WHERE {same}"  # noqa: S608
        return f"{sql} {self._order('t')}", parameters.values

    def _listed(self, name: str) -> str:
        return ", ".join(f"{name}.{column}" for column in self.columns)

    def _order(self, name: str) -> str:
        direction = " DESC" if self.descending else ""
        return f"ORDER BY {', '.join(f'{name}.{column}{direction}' for column in self.columns)}"

    def pick(
        self,
        stream: str,
        state: Conversation | None,
        cursor: Cursor,
        key: tuple[Any, ...] | None = None,
    ) -> list[Item]:
        """Make the rows of a state, and return those that belong here."""
        made = _made(stream, state)
        items = [self._item(row, state, key) for row in made[self.table]]
        return [item for item in items if self._belongs(item, made, cursor)]

    def _belongs(self, item: Item, made: Made, cursor: Cursor) -> bool:
        # first, since a row without a value has no place in the order of it
        if not hold(self.conditions, item.row, made):
            return False
        if cursor.after is None:
            return True
        return item.key < cursor.after if self.descending else item.key > cursor.after

    def _item(
        self, row: Any, state: Conversation | None = None, key: tuple[Any, ...] | None = None
    ) -> Item:
        place = key or tuple(getattr(row, column) for column in self.columns)
        return Item(place, row.stream, row, state)

    def _unmoved(self, position: str) -> str:
        if self.table == "conversations":
            return f"t.position <= {position}"
        moved = f"SELECT stream FROM conversations WHERE position > {position}"  # noqa: S608
        return f"t.stream NOT IN ({moved})"


def _made(stream: str, state: Conversation | None) -> Made:
    return group(rows(stream, state) if state else ())


def _moved(connection: Connection, cursor: Cursor) -> list[str]:
    """Return the conversations that have moved on since the first page."""
    if cursor.after is None:
        return []
    sql = "SELECT stream FROM conversations WHERE position > :position"
    return [stream for (stream,) in connection.run(sql, position=cursor.position)]


class WholeQuestion(PagedQuestion[T]):
    """A question whose answer is short enough to be made at once, such as one conversation's."""

    @abstractmethod
    def keyed(self, reader: Reader, position: int) -> Iterable[Keyed[T]]:
        """Return the whole answer, by the events up to a store position."""

    def every(self, reader: Reader) -> Iterator[T]:
        """Yield all items."""
        return (item for _, item in self.keyed(reader, reader.newest()))

    def slice(self, reader: Reader) -> Page[T]:
        """Return the page that is asked for, of the answer that the first page was of."""
        cursor = read_cursor(self, reader.newest())
        after, items = cursor.after, list(self.keyed(reader, cursor.position))
        if self.page_key is not None and items:
            _require_kinds(self.page_key, cursor, [type(value) for value in items[0][0]])
        rest = [item for item in items if after is None or item[0] > after]
        found = rest[: self.page_limit]
        more = len(rest) > self.page_limit
        key = write_key(cursor._replace(after=found[-1][0]), self.asked) if more else None
        return Page([item for _, item in found], key, cursor.position)


def read_cursor(
    question: PagedQuestion[Any], position: int, kinds: Sequence[type] | None = None
) -> Cursor:
    """Return the cursor of a question's page key, or that of a first page at this position.

    `kinds` are the types that a place in the order has. Raises `InvalidInputError` for a key of
    another question. The seal keeps out mistakes, not forgers: what it holds is read as something
    that anybody may have written.
    """
    key = question.page_key
    if key is None:
        return Cursor(position, None)
    try:
        raw = urlsafe_b64decode(key + "=" * (-len(key) % 4))
        seal, content = raw[:_SEAL], raw[_SEAL:]
        cursor = Cursor(*_CONTENT.decode(content))
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise _foreign(key) from error
    if seal != _seal(content, question.asked):
        raise _foreign(key)
    if kinds is not None:
        _require_kinds(key, cursor, kinds)
    return cursor


def write_key(cursor: Cursor, asked: str) -> str:
    """Return the key of the page after a cursor."""
    content = json.dumps(cursor, separators=(",", ":")).encode()
    return urlsafe_b64encode(_seal(content, asked) + content).decode().rstrip("=")


def _require_kinds(key: str, cursor: Cursor, kinds: Sequence[type]) -> None:
    """Refuse a key whose place is none in this order, since such places cannot be compared."""
    if [type(value) for value in cursor.after or ()] != list(kinds):
        raise _foreign(key)


def _foreign(key: str) -> InvalidInputError:
    return InvalidInputError(
        f"pageKey: expected one that this very query gave with its last page, got {shorten(key)!r}"
    )


_SEAL = 8
_Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]
_Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Micros = Annotated[int, Meta(ge=0, le=2**62)]
_CONTENT = msgspec.json.Decoder(tuple[_Position, tuple[_Number | _Text, ...], _Micros | None])


def _seal(content: bytes, asked: str) -> bytes:
    """Tie a key to its question, so that neither a changed key nor another question is accepted."""
    return blake2b(content + asked.encode("utf-8", "surrogatepass"), digest_size=_SEAL).digest()
