"""Proof that a body comes from Dixa, by the rules of Dixa's page *Security best practices*."""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from dixa_state.errors import InvalidInputError, SignatureError

_MAX_CHARACTERS = 1_000
_MAX_SIGNATURES = 10

_ORGANIZATION = "organization:"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,}")
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]+")
_USUAL = re.compile(r"t=([0-9]{1,15}),v1=([0-9a-f]{64})")
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_Kind = Literal["any", "subscription", "organization"]


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The keys, as bytes: for any body, for one subscription, for one organization; may be empty.

    Ids of subscriptions are in lower case. The repr counts the keys and shows none; an empty value
    is false.
    """

    unbound: tuple[bytes, ...] = ()
    bound: tuple[tuple[str, bytes], ...] = ()
    of_organizations: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        bound = len(self.bound) + len(self.of_organizations)
        return f"Secrets(<{len(self.unbound)} unbound, {bound} bound>)"

    def __bool__(self) -> bool:
        return bool(self.unbound or self.bound or self.of_organizations)

    def candidates(self, subscription_id: str | None) -> tuple[bytes, ...]:
        """Return the keys to try for a subscription; a missing or blank id means all of them.

        The id comes in a header that is not signed, so it is only a hint: it narrows the choice
        of keys and proves nothing. A named id never unlocks another subscription's keys, and
        leaving the id out gains a forger nothing, who still needs one of the keys.
        """
        anyone = tuple(key for _, key in self.of_organizations) + self.unbound
        if not self.bound:
            return anyone
        wanted = _normal_id(subscription_id or "")
        return tuple(key for owner, key in self.bound if wanted in ("", owner)) + anyone

    def organizations(self, keys: Iterable[bytes]) -> frozenset[str] | None:
        """Return the organizations that any of these keys may sign for; None for every one."""
        keys = set(keys)
        if not keys.isdisjoint((*self.unbound, *(key for _, key in self.bound))):
            return None
        return frozenset(owner for owner, key in self.of_organizations if key in keys)


def parse_secrets(text: str) -> Secrets:
    """Read the setting: `hex`, `subscription-id=hex` or `organization:id=hex`, comma-separated.

    Dixa shows a secret hex-encoded; at least 16 bytes are expected. Blank text gives no keys.
    Raises InvalidInputError, which names one of several by its number and never shows a secret.
    """
    if not text.strip():
        return Secrets()
    items = [_parse_item(place, item) for place, item in split_items(text)]
    return Secrets(
        unbound=tuple(key for kind, _, key in items if kind == "any"),
        bound=tuple((owner, key) for kind, owner, key in items if kind == "subscription"),
        of_organizations=tuple(
            (owner, key) for kind, owner, key in items if kind == "organization"
        ),
    )


def split_items(text: str) -> list[tuple[str, str]]:
    """Return what is between commas, after what begins a message about it: one of several."""
    items = text.split(",")
    several = len(items) > 1
    return [(f"number {n}: " if several else "", item) for n, item in enumerate(items, start=1)]


def verify(  # noqa: PLR0913 - all that the decision depends on, time included, comes as data
    body: bytes,
    header: str | bytes | None,
    secrets: Secrets,
    *,
    subscription_id: str | None = None,
    now: datetime | None = None,
    tolerance: timedelta | None = None,
) -> frozenset[str] | None:
    """Return whose bodies the key may sign with which `header`, the X-DIXA-SIGNATURE, signs `body`.

    None stands for every organization's. Raises SignatureError if no key signs the raw body.

    The header is `t=<milliseconds since epoch>,v1=<hex>`: HMAC-SHA256 of `t`, a dot and the body,
    keyed with the hex-decoded secret (*Security best practices*). Any of several v1 may match;
    unknown keys are ignored. Dixa writes v1 in lower case; upper case is the same number, and
    refusing it would lose a genuine event.

    Reasons: `missing`, `malformed`, `unknown_subscription` (no key to try), `mismatch`, and
    `stale`: genuine, but `t` is further than `tolerance` from `now`. Dixa publishes no tolerance,
    so none applies by default. With one, `now` must be given, with a time zone: otherwise
    InvalidInputError, whatever the header.
    """
    if tolerance is not None and (now is None or now.utcoffset() is None):
        raise InvalidInputError(f"With a tolerance, expected now with a time zone; {now!r} came")
    t, signatures = _read(header)
    keys = secrets.candidates(subscription_id)
    if not keys:
        raise SignatureError("unknown_subscription", "No secret is set for this subscription")
    expected = [_digest(body, t, key) for key in keys]
    # Every pair is compared before any is judged: the time taken must not reveal which one matched.
    matches = [sum(hmac.compare_digest(ours, one) for one in signatures) for ours in expected]
    if not any(matches):
        raise SignatureError("mismatch", f"No v1 signs this body with any of {len(keys)} secrets")
    if now is not None and tolerance is not None:
        _require_recent(int(t), now, tolerance)
    return secrets.organizations(key for key, match in zip(keys, matches, strict=True) if match)


Verdict = Literal[
    "valid",
    "unsigned",
    "unchecked",
    "malformed",
    "unknown_subscription",
    "mismatch",
    "organization",
]
"""What is found of a stored signature; `unchecked` where there are no secrets to try."""


def judge(
    body: bytes,
    header: str | None,
    secrets: Secrets,
    *,
    subscription_id: str | None,
    organization_id: str | None,
) -> Verdict:
    """Return whether a stored body is signed with one of the secrets, or what is wrong with it."""
    if not header:
        return "unsigned"  # read from a file, or received where that was allowed
    if not secrets:
        return "unchecked"
    try:
        organizations = verify(body, header, secrets, subscription_id=subscription_id)
    except SignatureError as error:
        return cast("Verdict", error.reason)
    owned = organizations is None or organization_id in organizations
    return "valid" if owned else "organization"


def is_well_formed(header: str) -> bool:
    """Return whether a header can be parsed as a signature, whoever made it."""
    try:
        _read(header)
    except SignatureError:
        return False
    return True


def sign(body: bytes, secret: bytes, *, t: int) -> str:
    """Return the X-DIXA-SIGNATURE that Dixa would send at `t`, in milliseconds since epoch.

    `secret` is the hex-decoded key. Raises InvalidInputError if `t` has not 1 to 15 digits.
    """
    if not _MILLISECONDS.fullmatch(str(t)):
        raise InvalidInputError(f"Expected t of 1 to 15 digits, in milliseconds; {t} came")
    return f"t={t},v1={_digest(body, str(t), secret)}"


def _read(header: str | bytes | None) -> tuple[str, list[str]]:
    if isinstance(header, str) and (usual := _USUAL.fullmatch(header)):
        return usual[1], [usual[2]]
    if header is None:
        raise SignatureError("missing", "Expected the header X-DIXA-SIGNATURE; none came")
    if len(header) > _MAX_CHARACTERS:
        raise _malformed(f"at most {_MAX_CHARACTERS} characters", f"{len(header)}")
    if not header.isascii():
        raise _malformed("ASCII", "other characters")
    text = header if isinstance(header, str) else header.decode("ascii")
    pairs = [item.strip(" \t").partition("=") for item in text.split(",")]
    if not all(key and equals for key, equals, _ in pairs):
        raise _malformed("items like key=value, comma-separated", "another item")
    return _choose([(key, value) for key, _, value in pairs])


def _choose(pairs: list[tuple[str, str]]) -> tuple[str, list[str]]:
    times = [value for key, value in pairs if key == "t"]
    signatures = [value.lower() for key, value in pairs if key == "v1"]
    if len(times) != 1:
        raise _malformed("one t", f"{len(times)}")
    if not _MILLISECONDS.fullmatch(times[0]):
        raise _malformed("t of 1 to 15 digits", "another t")
    if not 1 <= len(signatures) <= _MAX_SIGNATURES:
        raise _malformed(f"1 to {_MAX_SIGNATURES} v1", f"{len(signatures)}")
    return times[0], signatures


def _malformed(expected: str, came: str) -> SignatureError:
    return SignatureError("malformed", f"X-DIXA-SIGNATURE: expected {expected}; {came} came")


def _digest(body: bytes, t: str, key: bytes) -> str:
    return hmac.digest(key, t.encode("ascii") + b"." + body, "sha256").hex()


def _require_recent(t: int, now: datetime, tolerance: timedelta) -> None:
    age = (now - _EPOCH) - timedelta(milliseconds=t)
    if abs(age) > tolerance:
        raise SignatureError(
            "stale", f"Expected t within {tolerance} of now; it is {age.total_seconds():.3f} s old"
        )


def _parse_item(place: str, text: str) -> tuple[_Kind, str, bytes]:
    left, equals, right = text.partition("=")
    kind: _Kind = "subscription" if equals else "any"
    owner, key = (_normal_id(left), right.strip()) if equals else ("", text.strip())
    if owner.startswith(_ORGANIZATION):
        kind, owner = "organization", left.strip()[len(_ORGANIZATION) :].strip()
    # Whoever swaps the two sides puts the secret on the left: show only what cannot be one.
    name = place + (f"{owner}: " if _UUID.fullmatch(owner) else "")
    if kind != "any" and not owner:
        expected = "organization:id=hex" if kind == "organization" else "subscription-id=hex"
        raise InvalidInputError(f"{name}expected {expected}, got no id before the =")
    if not _HEX_KEY.fullmatch(key):
        raise InvalidInputError(
            f"{name}expected an even number of hex digits, at least 32, got {_shape(key)}"
        )
    return kind, owner, bytes.fromhex(key)


def _shape(key: str) -> str:
    kind = "" if _HEX_DIGITS.fullmatch(key) else " characters, not all hex digits"
    return f"{len(key)}{kind}" if key else "nothing"


def _normal_id(subscription_id: str) -> str:
    return subscription_id.strip().lower()
