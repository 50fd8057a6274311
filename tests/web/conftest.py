"""Servers for the tests of HTTP."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from servers import SECRET, Running, running

from dixa_state.settings import Settings


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Start a server on a store, with settings; it stops with the test."""
    with ExitStack() as servers:

        def start(store: str, **settings: Any) -> Running:
            given = {"webhook_secrets": SECRET, **settings}
            return servers.enter_context(running(Settings(store=store, _env_file=None, **given)))

        yield start


@pytest.fixture
def server(serve: Callable[..., Running], store_url: str) -> Running:
    """A server on each database."""
    return serve(store_url)


@pytest.fixture
def sqlite_server(serve: Callable[..., Running], sqlite_url: str) -> Running:
    return serve(sqlite_url)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a module that can bear what the others leave in it."""
    store = f"sqlite:///{tmp_path_factory.mktemp('shared')}/store.db"
    with running(Settings(store=store, _env_file=None, webhook_secrets=SECRET)) as started:
        yield started


@pytest.fixture
def serves_on(
    shared: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Whatever a test does to the shared server, the next webhook is kept."""
    yield
    monkeypatch.undo()
    assert shared.post(day_lines[0]).status_code == 200
    assert not shared.metric("dixa_state_http_requests_total", status="500")


@pytest.fixture
def nothing_fails(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does to a server, the server must not take it for a fault of its own."""
    yield
    assert not [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def day(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, day_lines: list[bytes]
) -> Iterator[Running]:
    """A server that holds the example day, for tests that only ask."""
    if request.param == "sqlite":
        store = f"sqlite:///{tmp_path_factory.mktemp('day')}/store.db"
    else:
        store = request.getfixturevalue("make_postgres_store")()
    with running(Settings(store=store, webhook_secrets=SECRET, _env_file=None)) as server:
        server.send(day_lines)
        yield server
