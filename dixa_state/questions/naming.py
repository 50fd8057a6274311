"""Values that stand for queues and people in counts: what a list is asked with to give the rows.

A filter takes an id, a name or an email. Two may share a name, and one may be known by the id only
in some conversations, so the name stands for somebody only where it finds all their rows and none
of anybody else's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from dixa_state.questions.question import NONE

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


def labels(known: Iterable[Known]) -> dict[str, str]:
    """Return how people tell apart ids that share a name: `Support (f4ab)` and `Support (043f)`."""
    sharing: dict[str, set[str]] = defaultdict(set)
    for key, name, *_ in known:
        if key and name:
            sharing[name].add(key)
    return {
        key: f"{name} ({key[:_SHOWN]})"
        for name, keys in sharing.items()
        for key in keys
        if len(keys) > 1
    }


_SHOWN = 4


def _value(key: str | None, members: set[Known], others: set[Known]) -> str | None:
    names = {name for _, name, *_ in members}
    [name, *more] = names
    found_elsewhere = any(name in other for other in others)
    return key if more or found_elsewhere or name in (None, NONE) else name
