"""The demo: a service on a temporary store, fed over HTTP with signed traffic that is made up."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Event, Thread
from time import time_ns

import httpx
from pydantic import SecretStr

from dixa_state.dixa.signature import sign
from dixa_state.settings import Settings
from dixa_state.simulate import Plan, bodies, pretty_json

HOURS_BEFORE = 3
"""Hours of traffic that come at once, so that there is something to see; the rest as it happens."""

_CONVERSATIONS_A_DAY = 2_000
_SENDERS = 8
_PATIENCE = 30.0
_PAUSE = 0.5


@contextmanager
def temporary_settings(port: int) -> Iterator[tuple[Settings, bytes]]:
    """Yield settings of a temporary store, read from nowhere else, and the secret in them."""
    secret = secrets.token_bytes(32)
    with TemporaryDirectory(prefix="dixa-state-demo-") as folder:
        settings = Settings.model_construct(
            store=f"sqlite:///{Path(folder)}/demo.db",
            webhook_secrets=SecretStr(secret.hex()),
            port=port,
            log_level="warning",
        )
        yield settings, secret


class Traffic:
    """Delivers webhooks as Dixa does, from some hours ago until now, and then as they happen."""

    def __init__(
        self, address: str, secret: bytes, caught_up: Callable[[], None] = lambda: None
    ) -> None:
        """Send to a service's address, signed with its secret; tell when now is reached."""
        self._caught_up = caught_up
        self._url = f"{address}/webhooks/dixa"
        self._secret = secret
        self._stop = Event()
        self._room = BoundedSemaphore(4 * _SENDERS)
        self._thread = Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        start = datetime.now(UTC) - timedelta(hours=HOURS_BEFORE)
        plan = Plan(conversations=_CONVERSATIONS_A_DAY, days=1, start=start, seed=1)
        with (
            httpx.Client(timeout=_PATIENCE) as client,
            ThreadPoolExecutor(_SENDERS) as senders,
        ):
            for simulated in bodies(plan):
                ahead = (simulated.at - datetime.now(UTC)).total_seconds()
                if ahead > 0:
                    self._caught_up()
                    self._caught_up = lambda: None
                if self._stop.wait(max(ahead, 0)):
                    return
                self._room.acquire()
                senders.submit(self._deliver, client, pretty_json(simulated.body))

    def _deliver(self, client: httpx.Client, body: bytes) -> None:
        try:
            while not self._stop.is_set() and not self._send(client, body):
                self._stop.wait(_PAUSE)
        finally:
            self._room.release()

    def _send(self, client: httpx.Client, body: bytes) -> bool:
        headers = {
            "Content-Type": "application/json",
            "X-Dixa-Signature": sign(body, self._secret, t=time_ns() // 1_000_000),
        }
        try:
            return client.post(self._url, content=body, headers=headers).is_success
        except httpx.TransportError:
            return False
