"""The names of streams, and the numbers and ids that they are made of."""

from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote

from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError

MAX_CSID = 2**63 - 1

_MAX_DIGITS = len(str(MAX_CSID))
_LONGEST_PART = 140  # of which a name has two at most: an index entry has its limits
_KEPT_OF_LONG = 100
_NO_ID = "-"


def conversation_stream(organization_id: str | None, csid: int) -> str:
    """Name the stream of a conversation."""
    return f"conversation/{stream_part(organization_id)}/{csid}"


def stream_part(text: str | None) -> str:
    """Spell an id so that it can stand between slashes in any database; a missing one is `-`.

    Different ids are spelled differently. A long one keeps its beginning and, after a `~`, a digest
    of the whole.
    """
    if not text:
        return _NO_ID
    return _spell_kept(text) if len(text) <= _LONGEST_PART else _spell(text)


def _spell(text: str) -> str:
    if text == _NO_ID:
        return "%2D"
    whole = text.encode("utf-8", "surrogatepass")
    spelled = quote(whole, safe=":@+").replace("~", "%7E")
    if len(spelled) <= _LONGEST_PART:
        return spelled
    return f"{spelled[:_KEPT_OF_LONG]}~{blake2b(whole, digest_size=16).hexdigest()}"


_spell_kept = lru_cache(maxsize=1_000)(_spell)  # there are few organizations, with many events


def read_csid(value: object) -> int:
    """Read a conversation's number: a whole number, also as digits or as a float without a rest.

    Raises `InvalidInputError` if it is none, or not from 1 to 2⁶³-1.
    """
    csid = value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        csid = int(value) if len(value) <= _MAX_DIGITS else value
    if isinstance(value, float) and value.is_integer():
        csid = int(value)
    if isinstance(csid, int) and not isinstance(csid, bool) and 1 <= csid <= MAX_CSID:
        return csid
    came = "nothing" if value is None else shorten(repr(value))
    raise InvalidInputError(f"csid: expected a whole number from 1 to {MAX_CSID}, got {came}")


def csid_of(stream: str) -> int:
    """Return the number of the conversation that a stream is about."""
    return int(stream.rpartition("/")[2])


def organization_stream(organization_id: str | None) -> str:
    """Name the stream of whatever an organization's events do not name a subject for."""
    return f"organization/{stream_part(organization_id)}"


def ban_stream(kind: str, organization_id: str | None, subject: str) -> str:
    """Name the stream of the bans on an end user (kind `enduser`) or an address (kind `ip`)."""
    return f"{kind}/{stream_part(organization_id)}/{stream_part(subject)}"
