"""Values that stand for queues and people in counts: what a list is asked with to give the rows.

A filter takes an id, a name or an email. Two may share a name, and one may be known by the id only
in some conversations, so the name stands for somebody only where it finds all their rows and none
of anybody else's.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

from dixa_state.questions.question import NONE, Answer, Page

T = TypeVar("T")
Known = tuple[str | None, ...]
"""What a row knows of somebody: the key, the name, and whatever else a filter finds them by."""


def distinct_values(known: Collection[Known]) -> dict[Known, str | None]:
    """Return the value that finds each: the name if that is unambiguous, or else the key."""
    keys = {one[0] for one in known} - {None}
    groups: dict[str | None, set[Known]] = {}
    for one in known:
        # whom we know by a name only cannot be distinguished from another of that name
        key = next((other for other in one[1:] if other in keys), one[0])
        groups.setdefault(key, set()).add(one)
    return {
        one: _value(key, members, set(known) - members)
        for key, members in groups.items()
        for one in members
    }


def grouped(rows: Collection[T], key: Callable[[T], Known]) -> dict[str | None, list[T]]:
    """Return rows by the value that finds them; `key` returns what a row knows of somebody."""
    values = distinct_values({key(row) for row in rows})
    found: dict[str | None, list[T]] = defaultdict(list)
    for row in rows:
        found[values[key(row)]].append(row)
    return found


def labels(known: Iterable[Known]) -> dict[str, str]:
    """Return labels that distinguish ids of one name: `Support (f4ab)` and `Support (043f)`."""
    sharing: dict[str, set[str]] = defaultdict(set)
    for key, name, *_ in known:
        if key and name:
            sharing[name].add(key)
    return {
        key: f"{name} ({key[: _prefix_length(keys)]})"
        for name, keys in sorted(sharing.items())
        for key in sorted(keys)
        if len(keys) > 1
    }


def _prefix_length(keys: Collection[str]) -> int:
    """Return how many characters distinguish each key from the others."""
    return next(n for n in count(_FEWEST) if len({key[:n] for key in keys}) == len(keys))


_FEWEST = 4
_COMPOUND = (Answer, Page, dict, list, tuple)
_LEFT_AS_THEY_ARE = {"requester", "custom_attributes", "details"}


def labelled(value: T, known: Mapping[str, str] | None = None) -> T:
    """Return answers for people: queues and agents that share a name have labels for names.

    `value` is an answer, or a page, list, tuple or dictionary of several; `known` are labels of
    ids that share their name with others elsewhere.
    """
    found = set(_named(value))
    shown = dict(known or {})
    for kind in ("queue", "agent"):
        shown = labels(one[1:] for one in found if one[0] == kind) | shown
    relabelled: T = _relabelled(value, shown) if shown else value
    return relabelled


def _named(value: Any) -> Iterator[tuple[str, str, str]]:
    """Yield kind, id and name of every queue and person."""
    if isinstance(value, list) or type(value) is tuple:
        for one in value:
            yield from _named(one)
    elif isinstance(value, Page):
        yield from _named(value.items)
    elif isinstance(value, Answer | dict):
        fields = vars(value) if isinstance(value, Answer) else value
        for prefix, kind, name in _names_in(fields):
            yield kind, fields[f"{prefix}id"], fields[name]
        for one in _inner(fields).values():
            yield from _named(one)


def _inner(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that may hold names."""
    # A board has 50 conversations of a hundred values each: a call for every one took 10 ms, not 4.
    return {
        name: one
        for name, one in fields.items()
        if isinstance(one, _COMPOUND) and name not in _LEFT_AS_THEY_ARE
    }


def _names_in(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what precedes `id`, the kind, and the field of each name among these fields."""
    itself = "agent" if "email" in fields else "queue"
    places = (("", itself, "name"), ("queue_", "queue", "queue"), ("agent_", "agent", "agent"))
    for prefix, kind, name in places:
        if isinstance(fields.get(f"{prefix}id"), str) and isinstance(fields.get(name), str):
            yield prefix, kind, name


def _relabelled(value: Any, shown: Mapping[str, str]) -> Any:
    if isinstance(value, list) or type(value) is tuple:
        return type(value)(_relabelled(one, shown) for one in value)
    if isinstance(value, Page):
        return replace(value, items=_relabelled(value.items, shown))
    if not isinstance(value, Answer | dict):
        return value
    fields = vars(value) if isinstance(value, Answer) else value
    made = {name: _relabelled(one, shown) for name, one in _inner(fields).items()}
    for prefix, _, name in _names_in(fields):
        made[name] = shown.get(fields[f"{prefix}id"], fields[name])
    return value | made if isinstance(value, dict) else value.model_copy(update=made)


def _value(key: str | None, members: set[Known], others: set[Known]) -> str | None:
    names = {name for _, name, *_ in members}
    [name, *more] = names
    found_elsewhere = any(name in other for other in others)
    return key if more or found_elsewhere or name in (None, NONE) else name
