"""Makes odd inputs out of good ones: changes to the JSON where there is some, else to the bytes."""

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30),
    *(0.0, -0.0, 0.1, 1e308, -1e-308, 5.0, 1e19),
    *("", " ", "0", "none", "null", "\0", "a\0b", "\n", "\r\n", "\x1b[2J", "\x7f", "\x9b31m"),
    *("\u202e", "\ufeff", "\u2028", "\ud7ff", "\U0010ffff", "e\u0301", "ß", "İ", "ﬁ", "\u0378"),
    *("'; DROP TABLE head; --", '"', "\\", "%", "%s", "_", "~", "/", "../..", "{v}", ":name", "$1"),
    *("x" * 200, "x" * 201, "é" * 161, "y" * 3_000, "word " * 100, "a b c d e f g"),
    *(
        "2026-03-02T08:00:00.000Z",
        "2026-03-02",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
    ),
    *("0001-01-01", "9999-12-31", "1969-12-31T23:59:59.999999Z"),
    *("2026-03-02T08:00:00.000Z[GMT]", "24:00", "-1", "1e3", "+5", "٣", "0x10", "9" * 19, "9" * 25),
    *([], {}, [None], [[]], [{}], {"id": None}, {"id": ""}, {"name": 5}, {"": ""}, ["a", "a"], [1]),
    *(
        {"id": "x", "name": "\0"},
        {"value": [1, "2", None, {"a": []}]},
        {"csid": "7"},
        {"type": "x"},
    ),
)
_RAW = (
    *(b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\\u0000"),
    *(b"\\ud800", b"\\udc00\\ud800", b"NaN", b"-Infinity", b"1e999", b"-0", b"0123", b"1" * 5_000),
    *(b"[" * 300, b'{"a":' * 300, b"//", b"/**/", b"'", b'"', b",", b":", b"=", b"&", b"\n", b"\r"),
    *(b"true", b"null", b"{}", b"[]", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"%00", b"%ff", b"+", b";"),
)
_LONGEST, _MOST_PLACES = 200_000, 2_000
_MORE, _AS_JSON = 0.5, 0.6


def mutated(data: bytes, others: Sequence[bytes], dice: Random) -> bytes:
    """Change an input, a little or more; `others` are inputs to take parts from."""
    while True:
        changed = _changed_json(data, others, dice) if dice.random() < _AS_JSON else None
        data = _changed_bytes(data, others, dice) if changed is None else changed
        if dice.random() > _MORE or len(data) > _LONGEST:
            return data[:_LONGEST]


def _changed_json(data: bytes, others: Sequence[bytes], dice: Random) -> bytes | None:
    """Change one place in a document; None where there is none."""
    value = parsed(data)
    places = list(_places(value))
    if not places:
        return None
    holder, key = dice.choice(places)
    change = dice.choice((_replace, _exchange, _exchange, _remove, _rename, _wrap, _repeat, _graft))
    change(holder, key, value, parsed(dice.choice(others)) if others else None, dice)
    with suppress(ValueError):  # it has grown into itself
        return json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    return None


def parsed(data: bytes) -> Any:
    """Read an input as JSON; None if it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Give every place in a document: what holds it, and its key or number there."""
    found: list[tuple[Any, Any]] = []
    waiting = [value] if isinstance(value, dict | list) else []
    while waiting and len(found) < _MOST_PLACES:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        found += ((holder, key) for key in keys)
        waiting += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return found


def _replace(holder: Any, key: Any, _value: Any, _other: Any, dice: Random) -> None:
    holder[key] = deepcopy(dice.choice(NASTY))


def _exchange(_holder: Any, _key: Any, value: Any, _other: Any, dice: Random) -> None:
    """Put a nasty value in the place of one of its kind: of numbers there are few in a document."""
    kinds: dict[type, list[tuple[Any, Any]]] = defaultdict(list)
    for holder, key in _places(value):
        kinds[_kind(holder[key])].append((holder, key))
    kind = dice.choice(list(kinds))
    holder, key = dice.choice(kinds[kind])
    holder[key] = deepcopy(dice.choice([nasty for nasty in NASTY if _kind(nasty) is kind]))


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


def _remove(holder: Any, key: Any, _value: Any, _other: Any, _dice: Random) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, value: Any, _other: Any, dice: Random) -> None:
    """Put a value under the name of another one, or under a nasty one."""
    if isinstance(holder, list):
        dice.shuffle(holder)
        return
    names = [name for _, name in _places(value) if isinstance(name, str)]
    names += [text for text in NASTY if isinstance(text, str)]
    holder[dice.choice(names)] = holder.pop(key)


def _wrap(holder: Any, key: Any, _value: Any, _other: Any, dice: Random) -> None:
    for _ in range(dice.choice((1, 1, 2, 90, 250))):
        holder[key] = [holder[key]] if dice.random() < 0.5 else {"id": holder[key]}


def _repeat(holder: Any, key: Any, _value: Any, _other: Any, dice: Random) -> None:
    times = dice.choice((2, 2, 50, 500))
    if isinstance(holder, list):
        holder += [holder[key]] * times
    elif isinstance(holder[key], str):
        holder[key] = (holder[key] * times)[:_LONGEST]
    else:
        holder[key] = [holder[key]] * times


def _graft(holder: Any, key: Any, _value: Any, other: Any, dice: Random) -> None:
    """Put in a part of another document."""
    if places := _places(other):
        giver, name = dice.choice(places)
        holder[key] = deepcopy(giver[name])


def _changed_bytes(data: bytes, others: Sequence[bytes], dice: Random) -> bytes:
    start = dice.randint(0, len(data))
    end = min(len(data), start + dice.choice((0, 0, 1, 1, 2, 8, 64)))
    other = dice.choice(others) if others else data
    cut = dice.randint(0, len(other))
    new = dice.choice(
        (
            lambda: dice.choice(_RAW),
            lambda: dice.randbytes(dice.choice((1, 1, 2, 4, 16))),
            lambda: data[start:end] * dice.choice((2, 3, 100)),
            lambda: other[cut : cut + dice.choice((1, 4, 16, 64, 1_000))],
            lambda: b"",
            lambda: json.dumps(dice.choice(NASTY)).encode(),
            lambda: str(dice.choice(NASTY)).encode(),
        )
    )()
    if dice.random() < 0.05:
        return data[:start]
    return data[:start] + new + data[end:]
