"""A real server over real HTTP, in a thread of the test; and bodies signed as Dixa signs them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread, local
from time import monotonic, sleep, time_ns
from typing import Any

import httpx

from dixa_state.asgi import open_application
from dixa_state.dixa.signature import sign
from dixa_state.settings import Settings
from dixa_state.web.server import Server, address_of, listen
from dixa_state.web.service import Service

SECRET = "00112233445566778899aabbccddeeff"  # noqa: S105 — for tests only
TLS = httpx.create_ssl_context()  # unused, but slow to make for each client


class Running:
    """A server that runs, and its clients."""

    def __init__(self, server: Server, url: str, store: str, clients: ExitStack) -> None:
        self.server = server
        self.url = url
        self.store = store
        self._clients = clients
        self._own = local()

    @property
    def client(self) -> httpx.Client:
        """Give the client of this thread: one for several would close what another reads from."""
        if not hasattr(self._own, "client"):
            made = httpx.Client(base_url=self.url, timeout=30, verify=TLS)
            self._own.client = self._clients.enter_context(made)
        client: httpx.Client = self._own.client
        return client

    @property
    def service(self) -> Service:
        service: Service = self.server.config.app.service  # type: ignore[union-attr]
        return service

    def post(self, body: bytes, *, secret: str = SECRET, **headers: str) -> httpx.Response:
        """Send a webhook as Dixa would; a header given as an empty text is left out."""
        return self.client.post(
            "/webhooks/dixa", content=body, headers=signed(body, secret, headers)
        )

    def send(self, bodies: list[bytes]) -> int:
        """Send webhooks that are kept, and wait until the views show them; give the position."""
        position = max(self.post(body).raise_for_status().json()["position"] for body in bodies)
        self.get("/v1/stats", min_position=position)
        return position

    def get(self, path: str, **query: Any) -> Any:
        """Ask, and expect an answer."""
        url = httpx.URL(path).copy_merge_params(query)
        return self.client.get(url).raise_for_status().json()

    def metric(self, name: str, **labels: str) -> float:
        """Read one metric."""
        value = self.service.metrics.registry.get_sample_value(name, labels)
        return value or 0.0


Serve = Callable[..., Running]


def signed(body: bytes, secret: str = SECRET, more: dict[str, str] | None = None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "X-Dixa-Signature": sign(body, bytes.fromhex(secret), t=time_ns() // 1_000_000),
    }
    given = {name.replace("_", "-"): value for name, value in (more or {}).items()}
    merged = {name.lower(): value for name, value in (headers | given).items()}
    return {name: value for name, value in merged.items() if value}


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    ready = Event()
    with (
        open_application(settings) as app,
        listen("127.0.0.1", 0) as listening,
        ExitStack() as clients,
    ):
        server = Server(app, ready.set)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert ready.wait(10)
            yield Running(server, address_of(listening), settings.store, clients)
        finally:
            clients.close()  # the server waits a second for what an idle connection may still send
            if not server.should_exit:  # a test may have stopped it, and then it ends at any moment
                server.handle_exit(15, None)
            thread.join(40)
            assert not thread.is_alive()


def error_of(answer: httpx.Response | bytes) -> str:
    """Give the code of an error, which must have the one shape."""
    document = json.loads(answer if isinstance(answer, bytes) else answer.content)
    assert document.keys() == {"error"}
    assert document["error"].keys() == {"code", "message", "detail"}
    assert document["error"]["message"]
    code: str = document["error"]["code"]
    return code


def eventually(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    until = monotonic() + seconds
    while not holds():
        assert monotonic() < until, "it did not come to hold in time"
        sleep(0.02)
