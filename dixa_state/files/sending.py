"""From bodies to a service: each signed and sent as Dixa does, and what was answered."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import sleep, time_ns
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import httpx
from pydantic_core import from_json

from dixa_state.dixa.signature import Secrets, sign
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError, StoreUnavailableError

SENDERS = 8
ATTEMPTS = 6
"""Times that a webhook is sent while the service cannot store it or cannot be reached.

Dixa does not publish how often it tries.
"""

_WEBHOOKS = "/webhooks/dixa"
_ANSWER_TIMEOUT = 30.0
_MAX_PAUSE = 10.0
_UNAVAILABLE = 503

Kind = Literal["appended", "duplicate", "quarantined", "accepted", "refused"]


class Sent(NamedTuple):
    """The outcome of a webhook that was sent.

    `accepted` is a success in other words than ours; `reason` says why it was quarantined or
    refused; `retries` counts the times that it had to be sent again.
    """

    kind: Kind
    reason: str | None
    retries: int


class Target(NamedTuple):
    """Where webhooks are sent, and what they are signed with; the repr shows no key."""

    url: str
    key: bytes
    subscription_id: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.url!r})"


def read_target(address: str, secrets: Secrets) -> Target:
    """Return where to send: to the address of a service, or of its webhooks with their path.

    The first of the secrets signs, one for any body before one that is bound. Raises
    `InvalidInputError` for what is no such address, and where there is no secret.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise InvalidInputError(f"expected an address such as http://127.0.0.1:8000, got {address}")
    url = address if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{_WEBHOOKS}"
    unbound = [(None, key) for key in secrets.unbound]
    others = [(None, key) for _, key in secrets.of_organizations]
    candidates = [*unbound, *secrets.bound, *others]
    if not candidates:
        raise InvalidInputError(
            "expected the secret of the service: set DIXA_STATE_WEBHOOK_SECRETS, or give --secret"
        )
    subscription_id, key = candidates[0]
    return Target(url, key, subscription_id)


def send(bodies: Iterable[bytes], target: Target) -> Iterator[Sent]:
    """Send bodies, several at a time, and yield in their order what became of each.

    Raises `StoreUnavailableError` where the service cannot be reached or store one after all
    attempts; sending the same bodies again is always safe.
    """
    under_way: deque[Future[Sent]] = deque()
    with httpx.Client(timeout=_ANSWER_TIMEOUT) as client, ThreadPoolExecutor(SENDERS) as senders:
        try:
            for body in bodies:
                under_way.append(senders.submit(_deliver, client, target, body))
                while under_way and (under_way[0].done() or len(under_way) > 2 * SENDERS):
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            senders.shutdown(wait=False, cancel_futures=True)


def _deliver(client: httpx.Client, target: Target, body: bytes) -> Sent:
    for attempt in range(ATTEMPTS):
        headers = {
            "Content-Type": "application/json",
            "X-Dixa-Signature": sign(body, target.key, t=time_ns() // 1_000_000),
        }
        if target.subscription_id:
            headers["X-Dixa-Subscription-Id"] = target.subscription_id
        try:
            response = client.post(target.url, content=body, headers=headers)
        except httpx.TransportError as error:
            problem, pause = str(error) or type(error).__name__, 1.0
        else:
            if response.status_code != _UNAVAILABLE:
                return _sent(response, attempt)
            problem, pause = f"503: {_reason(response)}", _retry_after(response)
        if attempt + 1 < ATTEMPTS:
            sleep(pause)
    raise StoreUnavailableError(
        f"{target.url}: expected a service that keeps webhooks, got after {ATTEMPTS} attempts: "
        f"{problem}"
    )


def _sent(response: httpx.Response, retries: int) -> Sent:
    if not response.is_success:
        return Sent("refused", f"{response.status_code}: {_reason(response)}", retries)
    match _document(response):
        case {"outcome": "quarantined", "reason": str(reason)}:
            return Sent("quarantined", reason, retries)
        case {"outcome": "appended" | "duplicate" as kind}:
            return Sent(kind, None, retries)
        case _:
            return Sent("accepted", None, retries)


def _reason(response: httpx.Response) -> str:
    match _document(response):
        case {"error": {"message": str(message)}}:
            return shorten(message)
        case _:
            return response.reason_phrase


def _document(response: httpx.Response) -> object:
    try:
        return from_json(response.content)
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), _MAX_PAUSE) if value.isdecimal() else 1.0
