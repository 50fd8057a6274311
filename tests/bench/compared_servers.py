"""The servers that `http` compares, on the same stack: ours, one that does nothing, one that saves.

Each prints its port on a line and serves until it is told to stop.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

from dixa_state.asgi import open_application
from dixa_state.settings import Settings
from dixa_state.web.middleware import send_json
from dixa_state.web.server import Server, listen

SECRET = "00112233445566778899aabbccddeeff"  # noqa: S105 — for measuring only


class Nothing:
    """Reads a body and answers 200."""

    service = SimpleNamespace(
        live_updates=SimpleNamespace(end_subscriptions=lambda: None), failure=None
    )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self.keep(body)
        await send_json(send, b"{}")

    async def keep(self, body: bytes) -> None:
        """Do nothing."""


class Saving(Nothing):
    """Saves an aggregate for each request, as the library's manual shows it."""

    def __init__(self, store: str) -> None:
        from plain import application  # noqa: PLC0415

        self._application = application(store)
        self._threads = ThreadPoolExecutor(4)

    async def keep(self, body: bytes) -> None:
        """Save."""
        from plain import Kept  # noqa: PLC0415

        def save() -> None:
            self._application.save(Kept(body.decode()))

        await asyncio.get_running_loop().run_in_executor(self._threads, save)


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@contextmanager
def _ours(store: str) -> Iterator[Any]:
    settings = Settings.model_construct(store=store, webhook_secrets=None, allow_unsigned=False)
    from pydantic import SecretStr  # noqa: PLC0415

    settings.webhook_secrets = SecretStr(SECRET)
    with open_application(settings) as application:
        yield application


def main(kind: str, *stores: str) -> None:
    """Serve."""
    made: dict[str, Any] = {
        "serve": _ours,
        "noop": lambda: nullcontext(Nothing()),
        "save": lambda store: nullcontext(Saving(store)),
    }
    opened: AbstractContextManager[Any] = made[kind](*stores)
    with opened as application, listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        server = Server(application, lambda: print(json.dumps(port), flush=True))  # noqa: T201
        server.run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
