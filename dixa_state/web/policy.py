"""Who may send and who may read: the rules, apart from how a request is asked for them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address

from dixa_state.dixa.signature import Secrets, verify
from dixa_state.errors import InvalidInputError, SignatureError

_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """What a service accepts; holds secrets, so its repr shows nothing.

    `authorization` is the whole header that webhooks must carry besides their signature; `tokens`
    are the SHA-256 digests of those that may read, none where everyone on this machine may.
    """

    secrets: Secrets = field(default_factory=Secrets)
    allow_unsigned: bool = False
    tolerance: timedelta | None = None
    authorization: str | None = None
    tokens: tuple[bytes, ...] = ()
    max_body: int = 1 << 20

    def require_sender(self, authorization: str | None) -> None:
        """Check the header that a subscription sends besides its signature, if one is agreed on.

        Raises `SignatureError` with the reason `authorization`.
        """
        if self.authorization is not None and not _same(authorization or "", self.authorization):
            raise SignatureError("authorization", "Expected the agreed Authorization header")

    def require_signature(
        self, body: bytes, header: str | None, subscription_id: str | None, now: datetime
    ) -> None:
        """Check that Dixa signed a body; an unsigned one passes where that is allowed.

        Raises `SignatureError`.
        """
        if self.allow_unsigned and (header is None or not self.secrets):
            return
        verify(
            body,
            header,
            self.secrets,
            subscription_id=subscription_id,
            now=now,
            tolerance=self.tolerance,
        )

    def may_read(self, token: str | None) -> bool:
        """Tell whether a bearer of this token may read; every known token is compared."""
        if not self.tokens:
            return True
        given = _digest(token or "")
        return True in [compare_digest(given, known) for known in self.tokens]


def parse_tokens(text: str) -> tuple[bytes, ...]:
    """Read the setting: tokens, comma-separated; gives their digests, and none for blank text.

    Raises `InvalidInputError`, which names a token by its number and never shows it.
    """
    if not text.strip():
        return ()
    tokens = [token.strip() for token in text.split(",")]
    for number, token in enumerate(tokens, start=1):
        if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
            raise InvalidInputError(
                f"Token {number}: expected at least {_SHORTEST_TOKEN} printable ASCII characters; "
                f"{len(token)} characters came"
            )
    return tuple(_digest(token) for token in tokens)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host: `localhost`, 127.0.0.0/8 or ::1."""
    name = host.strip("[]").casefold()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return compare_digest(_digest(one), _digest(other))


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
