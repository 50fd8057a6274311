"""JSON objects read whatever their spelling: the tolerant side of reading a body.

Dixa publishes the `data` of only a few events, and its REST API spells the same things otherwise.
Names count by their letters alone (camelCase, snake_case), values by what can be made of them.
Nothing here fails: what is missing, null or of a wrong type is None.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from sys import float_info
from typing import Any, TypeVar, cast

import msgspec

from dixa_state.domain.events import Queue, User
from dixa_state.domain.timestamps import parse_time
from dixa_state.errors import InvalidInputError

T = TypeVar("T")

_EXACT = 2**53  # whole numbers are exact as floats up to here
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def spelling(name: str) -> str:
    """Reduce a name to what counts when names are compared: its letters, without case."""
    return name.replace("_", "").casefold()


class Fields:
    """The fields of a JSON object by the letters of their names; of none if it is no object.

    Names are given as `spelling` reduces them. Of several spellings of one, that very one counts,
    else the last that is not null.
    """

    __slots__ = ("_spelled", "_values")

    def __init__(self, value: object) -> None:
        self._values: dict[str, Any] = value if isinstance(value, dict) else {}
        self._spelled: dict[str, Any] | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field as it came."""
        if (value := self._values.get(name)) is not None:
            return value
        if self._spelled is None:  # not at the door, where a conversation and its csid are enough
            self._spelled = {}
            for spelled, part in self._values.items():
                letters = spelling(spelled)
                if part is not None or letters not in self._spelled:
                    self._spelled[letters] = part
        return self._spelled.get(name, default)

    def find(self, read: Callable[[Any], T | None], *names: str) -> T | None:
        """Return the first of these fields that can be read."""
        for name in names:
            if (value := self.get(name)) is not None and (found := read(value)) is not None:
                return found
        return None

    def inside(self, *names: str) -> "Fields":
        """Return the fields of the first of these that is an object, or these if it came flat."""
        inner = self.find(lambda value: value if isinstance(value, dict) else None, *names)
        return self if inner is None else Fields(inner)


def with_ids(*names: str) -> tuple[str, ...]:
    """Return names of users or queues, each with the one that an id alone has: agent, agentid."""
    return tuple(spelled for name in names for spelled in (name, f"{name}id"))


def as_it_came(read: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Return a reader of what another can read, which leaves it as it came."""
    return lambda value: None if read(value) is None else value


def user_from(value: object) -> User | None:
    """Read a user from an object or an id; one without anything to identify them by is none."""
    if not isinstance(value, dict):
        return User(id=text) if (text := text_from(value)) else None
    fields = Fields(value)
    roles = fields.get("roles")
    user = User(
        id=fields.find(scalar_from, "id"),
        name=fields.find(scalar_from, "name", "displayname"),
        email=fields.find(scalar_from, "email"),
        phone=fields.find(scalar_from, "phone", "phonenumber"),
        user_type=fields.find(scalar_from, "usertype"),
        roles=tuple(roles) if _are_texts(roles) else (),
    )
    return user if user.key else None


def queue_from(value: object) -> Queue | None:
    """Read a queue from an object or an id; one without id and name is none."""
    if not isinstance(value, dict):
        return Queue(id=text) if (text := text_from(value)) else None
    queue = Queue(scalar_from(value.get("id")), scalar_from(value.get("name")))
    return queue if queue.key else None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def text_from(value: object) -> str | None:
    """Read a text that is not empty: of an object its name or id."""
    if isinstance(value, dict):
        return text_from(value.get("name")) or text_from(value.get("id"))
    return scalar_from(value) or None


def scalar_from(value: object) -> str | None:
    """Read a text, or a number as one."""
    if isinstance(value, str):
        return value
    return None if number_from(value) is None else str(value)


def number_from(value: object) -> float | None:
    """Read a number that is finite.

    Beyond 2^53 it is a float, as precise as most programs read numbers in JSON (RFC 8259, 6).
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not abs(value) <= float_info.max:  # which is so of NaN, too
        return None
    return float(value) if abs(value) > _EXACT else value


def score_from(value: object) -> float | None:
    """Read a number, or a short text that is one."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    return number_from(value)


def address_from(text: str) -> str | None:
    """Read an IP address in its one canonical form; any other text is compared without case."""
    text = text.strip().removeprefix("[").removesuffix("]").casefold()
    try:
        address = ip_address(text)
    except ValueError:
        return text or None
    return str(getattr(address, "ipv4_mapped", None) or address)


def time_from(value: object) -> datetime | None:
    """Read a time: one that was read already, RFC 3339, or seconds or milliseconds since 1970."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return parse_time(value)
        except InvalidInputError:
            pass
    since = score_from(value)
    return None if since is None else _since_epoch(since)


def _since_epoch(number: float) -> datetime | None:
    """Read a number by its size: seconds from 2001 to 5138, the same in milliseconds."""
    for unit in (1, 1_000):
        if 10**9 * unit <= number < 10**11 * unit:
            return _EPOCH + timedelta(seconds=number / unit)
    return None


def attributes_from(value: object) -> dict[str, Any] | None:
    """Read custom attributes: a list of them, a single one, or a map from identifier to value."""
    match value:
        case list():
            entries = [entry for entry in value if isinstance(entry, dict)]
            found = {name: entry.get("value") for entry in entries if (name := _name(entry))}
            return _finite(found) if found or not value else None
        case dict():
            name = _name(value) if "value" in value else None
            return _finite({name: value["value"]} if name else value)
        case _:
            return None


def attribute_ids_from(value: object) -> dict[str, str]:
    """Read the ids of custom attributes by the names that they go by here."""
    entries = value if isinstance(value, list) else [value]
    named = ((_name(one), one.get("id")) for one in entries if isinstance(one, dict))
    return {name: key for name, key in named if name and isinstance(key, str) and key}


def attachments_from(value: object) -> tuple[str, ...] | None:
    """Read the names of attachments, or what else identifies an attachment."""
    if not isinstance(value, list | tuple):
        return None
    names = ("name", "filename", "prettyname", "title", "url", "id")
    found = (one if isinstance(one, str) else Fields(one).find(text_from, *names) for one in value)
    return tuple(name for name in found if name) or None


def _finite(attributes: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers beyond all floats by null, as they are in a state, which is kept as JSON."""
    if all(isinstance(value, str) for value in attributes.values()):
        return attributes
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(attributes)))


def _name(attribute: dict[str, Any]) -> str | None:
    for key in ("identifier", "name", "id"):
        if isinstance(name := attribute.get(key), str) and name:
            return name
    return None
