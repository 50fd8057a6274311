"""Texts as the views store them: what is compared with a row must be converted here first."""

import re
from collections.abc import Iterable
from hashlib import blake2b

import msgspec


def words(texts: Iterable[str | None]) -> set[str]:
    """Split texts into the words by which they can be found, without case."""
    found = (word for text in texts if text for word in _WORD.findall(text.casefold()))
    return {word[:_LONGEST_WORD] for word in found}


_WORD = re.compile(r"\w+")
_LONGEST_WORD = 60


def storable(text: str | None) -> str | None:
    """Return a text that both databases accept: PostgreSQL refuses NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if text and "\0" in text else text


def findable(text: str | None) -> str | None:
    """Return a text as indexed columns hold it; a long one is its beginning and a digest.

    PostgreSQL refuses rows whose texts do not fit an index entry, about 2,700 bytes.
    """
    if text is None or (len(text) <= _LONGEST_KEY and "\0" not in text):
        return text
    whole = storable(text) or ""
    if len(whole) <= _LONGEST_KEY:
        return whole
    digest = blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{whole[:_KEPT_OF_LONG]}~{digest}"


def in_capitals(name: str | None) -> str | None:
    """Return a channel or a direction as indexed columns hold it: they compare without case."""
    return findable(name and name.upper())


_LONGEST_KEY = 200
_KEPT_OF_LONG = 160


def attribute_text(value: object) -> str:
    """Write one value of a custom attribute as text, a value that is none as an empty one.

    Texts stay as they are, all else is compact JSON: numbers without an empty fraction.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = msgspec.json.encode(value, order="deterministic").decode()
    return "" if text == "null" else text
