"""Logs hold nobody up, and do not grow with what strangers send."""

import asyncio
import io
import logging
import signal
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import pytest
import service_process
from servers import Running, eventually, signed
from starlette.types import Receive, Scope, Send

from dixa_state.web import logs
from dixa_state.web.logs import BackgroundHandler
from dixa_state.web.metrics import Metrics
from dixa_state.web.middleware import RequestMiddleware


def test_a_blocked_standard_error_holds_nobody_up(tmp_path: Path, day_lines: list[bytes]) -> None:
    """A pipe holds 64 KiB that nobody reads: some 300 lines."""
    with service_process.service(tmp_path, LOG_LEVEL="debug") as process:
        url = service_process.address_of(process)
        with httpx.Client(base_url=url, timeout=10) as client:
            for number in range(600):
                body = day_lines[number % len(day_lines)]
                sent = client.post("/webhooks/dixa", content=body, headers=signed(body))
                assert sent.status_code == 200
            assert client.get("/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


class Blocked(io.StringIO):
    """Takes text once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()

    def write(self, text: str) -> int:
        self.go.wait(10)
        return super().write(text)


def test_lines_that_are_dropped_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LINES", 5)
    blocked = Blocked()
    handler = BackgroundHandler(blocked)
    handler.setFormatter(logging.Formatter("{message} {lines}", style="{", defaults={"lines": ""}))
    for number in range(20):
        handler.handle(logging.makeLogRecord({"msg": str(number)}))
    blocked.go.set()
    eventually(lambda: "dropped" in blocked.getvalue())
    *written, last = blocked.getvalue().splitlines()
    assert len(written) in (5, 6)  # one may have left the queue before the others came
    assert last == f"log lines were dropped {20 - len(written)}"
    handler.flush()


def test_what_is_refused_fills_no_disk(
    shared: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_PER_SECOND", 1)
    for name in ("httpx", "httpcore"):  # they are the client's
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.INFO, "dixa_state.web")
    began = monotonic()
    for _ in range(100):
        shared.client.post("/webhooks/dixa", content=b"{}")
    shared.client.get("/v1/stats")
    eventually(lambda: [one for one in caplog.records if vars(one)["status"] == 200])
    lines = [record for record in caplog.records if vars(record)["status"] == 401]
    assert len(lines) <= monotonic() - began + 2
    suppressed = sum(getattr(record, "suppressed", 0) for record in caplog.records)
    assert len(lines) + suppressed == 100


def test_what_fails_fills_no_disk_either(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_PER_SECOND", 1)

    async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("a fault of ours")

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(RequestMiddleware(failing, Metrics()))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return [(await client.get("/")).status_code for _ in range(50)]

    began = monotonic()
    assert asyncio.run(ask()) == [500] * 50
    lines = [record for record in caplog.records if record.name == "dixa_state.web"]
    assert 1 <= len(lines) <= monotonic() - began + 2
