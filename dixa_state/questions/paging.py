"""Pages of rows in an order, and the keys by which they go on."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.states import decode_conversation
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import ConflictError, InvalidInputError
from dixa_state.questions.conditions import Condition, Made, Parameters, hold
from dixa_state.questions.filters import Narrowed
from dixa_state.questions.planning import Way, find_way
from dixa_state.views.generations import Connection
from dixa_state.views.rows import rows
from dixa_state.views.tables import TABLES, group

LIMIT, MAX_LIMIT = 50, 200

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items, the key of the next page if there is one, and the moment they are all of."""

    items: list[T]
    next_key: str | None
    position: int


class Cursor(NamedTuple):
    """Where a listing stands: of which moment it is, and after which row it goes on.

    `now` is the time of the first page in microseconds, where what fits depends on it.
    """

    position: int
    after: tuple[Any, ...] | None
    now: int | None = None


class Item(NamedTuple):
    """A row of a listing: its place, its conversation, the row itself and the state, if known."""

    key: tuple[Any, ...]
    stream: str
    row: Any
    state: Conversation | None

    @property
    def known_state(self) -> Conversation:
        """The state, from the row itself where it has not been folded anew."""
        return self.state or decode_conversation(bytes(self.row.state))


class Listing:
    """A table, in an order, under conditions."""

    def __init__(
        self,
        table: str,
        columns: tuple[str, ...],
        conditions: Sequence[Condition],
        *,
        descending: bool = False,
    ) -> None:
        self.table = table
        self.columns = columns
        self.conditions = conditions
        self.descending = descending

    @property
    def kinds(self) -> list[type]:
        """The types that a place in the order has."""
        return [str if column == "stream" else int for column in self.columns]

    def select(
        self,
        connection: Connection,
        cursor: Cursor,
        limit: int,
        *,
        narrowed: Narrowed | None = None,
    ) -> list[Item]:
        """Select rows after the cursor, of those that have not moved on since the first page."""
        row_type: Any = TABLES[self.table]
        sql, values = self.statement(connection, cursor, limit, narrowed=narrowed)
        return [self._item(row_type._make(found)) for found in connection.run(sql, **values)]

    def statement(
        self,
        connection: Connection,
        cursor: Cursor,
        limit: int,
        *,
        narrowed: Narrowed | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """Give the statement that selects, and its parameters."""
        parameters = Parameters(narrowed.parameters if narrowed else {})
        if narrowed:
            way = Way(self.table, narrowed.clause)
        else:
            way = find_way(connection, self.table, self.columns, self.conditions, parameters)
        clauses = [way.clause]
        if cursor.after is not None:
            bound = ", ".join(parameters.bind(value) for value in cursor.after)
            compared = "<" if self.descending else ">"
            clauses.append(f"({self._key('t.')}) {compared} ({bound})")
        clauses.append(self._unmoved(parameters.bind(cursor.position)))
        direction = " DESC" if self.descending else ""
        order = ", ".join(f"t.{column}{direction}" for column in self.columns)
        wanted = ", ".join(f"t.{column}" for column in TABLES[self.table]._fields)
        sql = (
            f"SELECT {wanted} FROM {way.source} AS t WHERE {' AND '.join(clauses)} "  # noqa: S608
            f"ORDER BY {order} LIMIT {parameters.bind(limit)}"
        )
        return sql, parameters.values

    def pick(
        self,
        stream: str,
        state: Conversation | None,
        cursor: Cursor,
        key: tuple[Any, ...] | None = None,
    ) -> list[Item]:
        """Make the rows of a state, and keep those that belong here."""
        if state is None:
            return []
        made = group(rows(stream, state))
        return [
            item
            for row in made[self.table]
            if (item := self._item(row, state, key)) and self._belongs(item, made, cursor)
        ]

    def place(self, stream: str, state: Conversation | None) -> list[tuple[Any, ...]]:
        """Give the places that the rows of a state have in the order."""
        made = group(rows(stream, state)) if state else {}
        return [self._item(row).key for row in made.get(self.table, ())]

    def _belongs(self, item: Item, made: Made, cursor: Cursor) -> bool:
        if cursor.after is not None:
            further = item.key < cursor.after if self.descending else item.key > cursor.after
            if not further:
                return False
        return hold(self.conditions, item.row, made)

    def _item(
        self, row: Any, state: Conversation | None = None, key: tuple[Any, ...] | None = None
    ) -> Item:
        place = key or tuple(getattr(row, column) for column in self.columns)
        return Item(place, row.stream, row, state)

    def _key(self, prefix: str) -> str:
        return ", ".join(f"{prefix}{column}" for column in self.columns)

    def _unmoved(self, position: str) -> str:
        if self.table == "conversations":
            return f"t.position <= {position}"
        moved = f"SELECT stream FROM conversations WHERE position > {position}"  # noqa: S608
        return f"t.stream NOT IN ({moved})"


def paged(
    found: list[Item],
    cursor: Cursor,
    asked: list[Any],
    limit: int,
    shape: Callable[[Item], T],
) -> Page[T]:
    """Make a page of one row more than it has, which tells whether another follows."""
    items, more = found[:limit], len(found) > limit
    next_key = None
    if more:
        next_key = write_key(cursor._replace(after=items[-1].key), asked)
    return Page([shape(item) for item in items], next_key, cursor.position)


def write_key(cursor: Cursor, asked: list[Any]) -> str:
    """Write the key of the page after a cursor."""
    content = json.dumps(cursor, separators=(",", ":")).encode()
    return urlsafe_b64encode(_seal(content, asked) + content).decode().rstrip("=")


def read_key(key: str, asked: list[Any], kinds: Sequence[type] | None = None) -> Cursor:
    """Read the key of a page; raises `ConflictError` if it is of another query.

    `kinds` are the types that a place in the order has. The seal keeps out mistakes, not forgers:
    what it holds is read as something that anybody may have written.
    """
    try:
        raw = urlsafe_b64decode(key + "=" * (-len(key) % 4))
        seal, content = raw[:_SEAL], raw[_SEAL:]
        cursor = Cursor(*_CONTENT.decode(content))
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise _foreign(key) from error
    if seal != _seal(content, asked):
        raise _foreign(key)
    if kinds is not None:
        require_kinds(key, cursor, kinds)
    return cursor


def require_kinds(key: str, cursor: Cursor, kinds: Sequence[type]) -> None:
    """Refuse a key whose place is none in this order, since such places cannot be compared."""
    if [type(value) for value in cursor.after or ()] != list(kinds):
        raise _foreign(key)


def _foreign(key: str) -> ConflictError:
    return ConflictError(
        f"pageKey: expected one that this very query gave with its last page, got {shorten(key)!r}"
    )


_SEAL = 8
_Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]
_Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Micros = Annotated[int, Meta(ge=0, le=2**62)]
_CONTENT = msgspec.json.Decoder(tuple[_Position, tuple[_Number | _Text, ...], _Micros | None])


def _seal(content: bytes, asked: list[Any]) -> bytes:
    """Tie a key to its query, so that neither a changed key nor another query is taken for it."""
    return blake2b(content + repr(asked).encode(), digest_size=_SEAL).digest()


def limited(limit: int) -> int:
    """Refuse pages of an impossible size."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInputError(f"pageLimit: expected 1 to {MAX_LIMIT}, got {limit}")
    return limit
