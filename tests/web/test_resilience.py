"""What must not drag down what: questions, probes, the parts of the service, a store that hangs."""

import asyncio
import inspect
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import psycopg
import pytest
import uvicorn
from servers import SECRET, TLS, Running, Serve, eventually
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dixa_state.questions import Stats
from dixa_state.store.deadline import current_deadline
from dixa_state.views.projector import Projector
from dixa_state.web import executor, server


@pytest.fixture
def busy(serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Running, Event]:
    """A server whose questions do not end until they are let go."""
    running = serve(sqlite_url)
    go = Event()
    answer = Stats.answer
    monkeypatch.setattr(Stats, "answer", lambda *given: (go.wait(30), answer(*given))[1])
    return running, go


def test_probes_and_webhooks_are_answered_while_all_readers_are_busy(
    busy: tuple[Running, Event], day_lines: list[bytes]
) -> None:
    running, go = busy
    with ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(running.client.get, "/v1/stats") for _ in range(20)]
        began = monotonic()
        assert running.client.get("/readyz").status_code == 200
        assert running.client.get("/metrics").status_code == 200
        assert running.post(day_lines[0]).status_code == 200
        assert monotonic() - began < 5
        go.set()
        assert {one.result().status_code for one in asked} == {200}


def test_a_question_that_takes_too_long_is_answered_and_not_begun(
    busy: tuple[Running, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "QUERY_TIMEOUT", 0.3)
    running, go = busy
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(running.client.get, ["/v1/stats"] * 10))
    assert {(one.status_code, one.headers["retry-after"]) for one in answers} == {(503, "1")}
    go.set()
    eventually(lambda: running.client.get("/v1/transitions").status_code == 200)


def test_questions_of_clients_that_have_gone_are_not_begun(busy: tuple[Running, Event]) -> None:
    running, go = busy
    for _ in range(executor.THREADS + 20):
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{running.url}/v1/stats", timeout=0.05, verify=TLS)
    eventually(lambda: running.service.executor.count <= executor.THREADS)
    go.set()


def test_a_feed_or_an_inbox_that_has_ended_is_told(serve: Serve, sqlite_url: str) -> None:
    running = serve(sqlite_url)
    # As nothing but a mistake of ours could: it looks for its end when somebody wants something.
    running.service.live_updates._stop.set()  # noqa: SLF001
    running.service.live_updates._used.set()  # noqa: SLF001
    eventually(lambda: running.client.get("/readyz").status_code == 503)
    assert running.client.get("/readyz").json()["problem"] == "live updates have ended"


def test_a_projector_that_fails_again_and_again_is_never_ready(
    serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(_projector: Projector) -> None:
        raise ValueError("no")

    monkeypatch.setattr(Projector, "step", step)
    running = serve(sqlite_url)
    eventually(lambda: not running.service.projection.alive)
    for _ in range(30):
        assert not running.service.projection.alive
        running.client.get("/healthz")
    assert running.metric("dixa_state_projector_alive") == 0


def test_a_query_ends_with_its_deadline_or_when_its_client_has_gone(
    serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a few that take for ever would block all reading."""
    running = serve(sqlite_url)

    def work_on(*_: object) -> None:
        while True:
            current_deadline().check()

    with monkeypatch.context() as patched:
        patched.setattr(Stats, "answer", work_on)
        for _ in range(executor.THREADS):
            with pytest.raises(httpx.TimeoutException):
                httpx.get(f"{running.url}/v1/stats", timeout=0.2, verify=TLS)
        eventually(lambda: not running.service.executor.count)
        patched.setattr(executor, "QUERY_TIMEOUT", 0.2)
        assert running.client.get("/v1/stats").status_code == 503
    eventually(lambda: not running.service.executor.count)
    assert running.client.get("/v1/stats").status_code == 200


def test_what_the_server_overrides_is_public_and_there() -> None:
    for own, base in ((server.BoundedProtocol, HttpToolsProtocol), (server.Server, uvicorn.Server)):
        names = {name for name, _ in inspect.getmembers(own, inspect.isfunction)}
        written = {name for name in names & own.__dict__.keys() if not name.startswith("_")}
        missing = {name for name in written if not hasattr(base, name)}
        assert missing <= {"check_timeouts", "serve_connection"}
        private = {name for name in base.__dict__ if re.match("_[a-z]", name)}
        source = inspect.getsource(own)
        assert not [name for name in private if re.search(rf"\b{name}\b", source)]


def test_a_store_that_hangs_does_not_keep_the_process_from_ending(
    postgres_url: str, tmp_path: Path, day_lines: list[bytes]
) -> None:
    """The lock that every append needs is held by another, who does not let go."""
    program = (
        "from dixa_state.web import inbox, service; "
        "inbox.COMMIT_TIMEOUT, service.STOP_TIMEOUT = 2.0, 1.0; "
        "from dixa_state.cli import main; main()"
    )
    words = [sys.executable, "-c", program, "serve", "--port", "0", "--store", postgres_url]
    settings = os.environ | {"DIXA_STATE_WEBHOOK_SECRETS": SECRET}
    with (
        psycopg.connect(postgres_url) as other,
        subprocess.Popen(
            words, env=settings, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr
        address = next(line.split()[2] for line in process.stderr if "serving on" in line)
        other.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        asyncio.run(_send_and_leave(f"{address.rstrip(';')}/webhooks/dixa", day_lines[0]))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "does not answer" in said
    assert "Traceback" not in said


async def _send_and_leave(url: str, body: bytes) -> None:
    from servers import signed  # noqa: PLC0415

    async with httpx.AsyncClient(verify=TLS) as client:
        with pytest.raises(httpx.TimeoutException):
            await client.post(url, content=body, headers=signed(body), timeout=1)


def test_the_time_to_end_is_within_what_the_documents_say() -> None:
    from dixa_state.web import service  # noqa: PLC0415

    assert server.SHUTDOWN_TIMEOUT + service.STOP_TIMEOUT < 60
