"""Pages of what is short enough to be made whole: one conversation's history, all bans."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dixa_state.questions.paging import (
    Cursor,
    Page,
    limited,
    read_key,
    require_kinds,
    write_key,
)

T = TypeVar("T")

Keyed = tuple[tuple[Any, ...], T]
"""An item, and its place in the order: nothing but texts and numbers, so that JSON can hold it."""


def sliced(
    ask: Callable[[int], Iterable[Keyed[T]]],
    newest: int,
    asked: list[Any],
    *,
    limit: int,
    page_key: str | None,
) -> Page[T]:
    """Give a page of what `ask` gives for the store position that the first page had.

    `newest` is the position that a first page has now. Raises `ConflictError` for a page key of
    another query.
    """
    cursor = Cursor(newest, None) if page_key is None else read_key(page_key, asked)
    after, items = cursor.after, list(ask(cursor.position))
    if page_key is not None and items:
        require_kinds(page_key, cursor, [type(value) for value in items[0][0]])
    rest = [item for item in items if after is None or item[0] > after]
    found, more = rest[: limited(limit)], len(rest) > limit
    key = write_key(cursor._replace(after=found[-1][0]), asked) if more else None
    return Page([item for _, item in found], key, cursor.position)
