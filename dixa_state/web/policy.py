"""Who may send and who may read: the rules, apart from how a request is asked for them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import NamedTuple

from dixa_state.dixa.body import UnreadableError, identify
from dixa_state.dixa.signature import Secrets, split_items, verify
from dixa_state.errors import InvalidInputError, SignatureError

_SHORTEST_TOKEN = 16
# A name is shorter than any token, so a token that holds `=` is never shown as a name.
_NAMED_TOKEN = re.compile(rf"([A-Za-z0-9._-]{{1,{_SHORTEST_TOKEN - 1}}})=(.{{{_SHORTEST_TOKEN},}})")
_HOST = re.compile(r"(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_ADDED_BY_PROXIES = frozenset(
    ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
)
_AUTHORIZATION = re.compile(r"(Basic|Bearer) [A-Za-z0-9._~+/=-]+")


class Token(NamedTuple):
    """A token that may read: the name that the log has for it, and its SHA-256 digest.

    `may_write`: a session that it began may change what is in quarantine.
    """

    name: str
    digest: bytes
    may_write: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """What a service accepts; holds secrets, so its repr shows nothing.

    `authorizations` are the headers one of which webhooks must carry besides their signature, none
    where they need not, as SHA-256 digests; `tokens` are those of who may read, none where everyone
    on this machine may.
    """

    secrets: Secrets = field(default_factory=Secrets)
    allow_unsigned: bool = False
    tolerance: timedelta | None = None
    authorizations: tuple[bytes, ...] = ()
    tokens: tuple[Token, ...] = ()
    max_body: int = 1 << 20

    def require_sender(self, authorization: str | None) -> None:
        """Check the header that a subscription sends besides its signature, if one is agreed on.

        Raises `SignatureError` with the reason `authorization`.
        """
        if self.authorizations and not _is_among(authorization, self.authorizations):
            raise SignatureError("authorization", "Expected the agreed Authorization header")

    def require_signature(
        self, body: bytes, header: str | None, subscription_id: str | None, now: datetime
    ) -> None:
        """Check that Dixa signed a body; an unsigned one passes where that is allowed.

        A key that is bound to an organization signs for no other: what names no readable one is
        left to the quarantine. Raises `SignatureError`.
        """
        if self.allow_unsigned and (header is None or not self.secrets):
            return
        organizations = verify(
            body,
            header,
            self.secrets,
            subscription_id=subscription_id,
            now=now,
            tolerance=self.tolerance,
        )
        if organizations is not None:
            _require_organization(body, organizations)

    def reader_of(self, token: str | None) -> str | None:
        """Return the name of a token, None for one that may not read; compare every known one."""
        given = digest_of(token or "")
        names = [known.name for known in self.tokens if compare_digest(given, known.digest)]
        return names[0] if names else None


def _require_organization(body: bytes, organizations: frozenset[str]) -> None:
    try:
        organization_id = identify(body).organization_id
    except UnreadableError:
        return
    if organization_id not in organizations:
        raise SignatureError("organization", "The key is bound to another organization")


def parse_tokens(text: str, *, may_write: bool = False) -> tuple[Token, ...]:
    """Return the tokens in the setting: each a token or `name=token`, comma-separated.

    What has no name is called by its number, `token 1` or `writer 1`. A token may itself contain
    `=`: what stands before it is a name only where it has at most 15 characters and at least 16
    follow. Raises `InvalidInputError`, which names a token by its number and never shows it.
    """
    if not text.strip():
        return ()
    tokens = []
    for number, (place, item) in enumerate(split_items(text), start=1):
        named = _NAMED_TOKEN.fullmatch(item.strip())
        kind = "writer" if may_write else "token"
        name, token = (named[1], named[2]) if named else (f"{kind} {number}", item.strip())
        if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
            raise InvalidInputError(
                f"{place}expected at least {_SHORTEST_TOKEN} printable ASCII characters, "
                f"got {len(token)} characters"
            )
        tokens.append(Token(name, digest_of(token), may_write))
    return tuple(tokens)


def parse_authorizations(text: str) -> tuple[bytes, ...]:
    """Return the digests of the headers in the setting: `Basic …` or `Bearer …`, comma-separated.

    Raises `InvalidInputError`, which shows none of them.
    """
    headers = split_items(text) if text.strip() else []
    for place, header in headers:
        if not _AUTHORIZATION.fullmatch(header.strip()):
            raise InvalidInputError(
                f"{place}expected `Basic …` or `Bearer …` as the webhook sends it, got "
                "something else"
            )
    return tuple(digest_of(header.strip()) for _, header in headers)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host: `localhost`, 127.0.0.0/8 or ::1."""
    name = host.strip("[]").casefold()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def came_through_proxy(names: Iterable[str]) -> bool:
    """Return whether any of the names of headers, in lower case, is one that proxies add."""
    return not _ADDED_BY_PROXIES.isdisjoint(names)


def names_loopback(host: str) -> bool:
    """Return whether a Host header names this machine; a malformed one does not."""
    match = _HOST.fullmatch(host)
    return match is not None and is_loopback(match[1])


def _is_among(given: str | None, known: tuple[bytes, ...]) -> bool:
    """Compare with every known digest, so that the time taken says nothing."""
    digest = digest_of(given or "")
    return True in [compare_digest(digest, one) for one in known]


def digest_of(text: str) -> bytes:
    """Return the digest by which a token or a header is known."""
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
