"""The demo: a service on a temporary store, and a made-up support desk whose clock runs fast."""

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from dixa_state.bootstrap import open_reader, open_tracker
from dixa_state.dixa.signature import sign
from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.settings import Settings
from dixa_state.simulate import Plan, bodies, pretty_json
from dixa_state.simulate.plan import MONDAY, STORIES
from dixa_state.store.events import Webhook

BUSIEST = MONDAY + timedelta(hours=9)
"""The moment of the simulated week that the demo begins at, whatever the time is."""

HISTORY = timedelta(hours=27)
"""What has happened until then, so that there is something to see: a Sunday, and a morning."""

_DAYS = 14
_CONVERSATIONS_A_DAY = 400
_TIME = re.compile(rb'(?<=")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?=")')
_TIMEOUT = 30.0
_PAUSE = 0.5


class Clock(NamedTuple):
    """The clock of the desk: `BUSIEST` is at `now`, and it runs `speed` times as fast."""

    now: datetime
    speed: float

    def real(self, at: datetime) -> datetime:
        """Return when a moment at the desk is in real time, in whole milliseconds."""
        since = (at - BUSIEST) / timedelta(milliseconds=1) / self.speed
        return self.now + timedelta(milliseconds=int(since))

    def retimed(self, body: bytes) -> bytes:
        """Return a body with every time in it in real time."""
        return _TIME.sub(self._retimed, body)

    def _retimed(self, found: re.Match[bytes]) -> bytes:
        return format_time(self.real(parse_time(found[0].decode()))).encode()


def webhooks(secret: bytes, now: datetime, speed: float) -> Iterator[Webhook]:
    """Yield the webhooks of the desk in real time: some are lost, some late, some come twice."""
    clock = Clock(now.replace(microsecond=0), speed)
    plan = Plan(
        conversations=_DAYS * _CONVERSATIONS_A_DAY,
        seed=1,
        days=_DAYS,
        start=BUSIEST - HISTORY,
        drop=0.01,
        late=0.02,
        shuffle=1_200,
        duplicates=0.01,
        stories=tuple(STORIES),
    )
    for simulated in bodies(plan):
        at, body = clock.real(simulated.at), clock.retimed(pretty_json(simulated.body))
        signature = sign(body, secret, t=round(at.timestamp() * 1_000))
        yield Webhook(body, at, signature=signature)


def store_history(store: str, coming: Iterator[Webhook], now: datetime) -> Webhook | None:
    """Append what was received before now, as of then; return the first webhook that was not."""
    before, following = [], None
    for webhook in coming:
        if webhook.received_at > now:
            following = webhook
            break
        before.append(webhook)
    with open_tracker(store) as tracker:
        tracker.append_many(before)
        with closing(open_reader(tracker)) as reader:
            reader.refresh()
    return following


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


def send_when_due(address: str, coming: Iterable[Webhook], stop: Event) -> None:
    """Send webhooks over HTTP as Dixa does, each when it is due, until `stop` is set."""
    with httpx.Client(base_url=address, timeout=_TIMEOUT) as client:
        for webhook in coming:
            due = (webhook.received_at - datetime.now(UTC)).total_seconds()
            if stop.wait(max(due, 0)):
                return
            while not _sent(client, webhook):
                if stop.wait(_PAUSE):
                    return


def _sent(client: httpx.Client, webhook: Webhook) -> bool:
    headers = {"Content-Type": "application/json", "X-Dixa-Signature": webhook.signature or ""}
    try:
        return client.post("/webhooks/dixa", content=webhook.body, headers=headers).is_success
    except httpx.TransportError:
        return False
