"""A real browser on a real server, one of each for all tests of the pages."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from browsers import launch
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from servers import SECRET, Running, running
from stories import stories
from visits import TOKEN, Opener

from dixa_state import open_tracker
from dixa_state.settings import Settings
from dixa_state.simulate import Plan, bodies, pretty_json
from dixa_state.store.events import Webhook

TIMEOUT = 15_000.0
expect.set_options(timeout=TIMEOUT)  # a busy machine paints late


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that guards the last hours of a support desk, and some stories of our own."""
    store = f"sqlite:///{tmp_path_factory.mktemp('pages')}/store.db"
    start = datetime.now(UTC) - timedelta(hours=6)
    plan = Plan(conversations=120, days=0.25, start=start, seed=5)
    with open_tracker(store) as tracker:
        made = ((pretty_json(one.body), one.at) for one in bodies(plan))
        webhooks = [Webhook(body, at, None, None) for body, at in chain(made, stories(start))]
        tracker.append_many(one for one in webhooks if one.received_at <= datetime.now(UTC))
    settings = Settings(_env_file=None, store=store, webhook_secrets=SECRET, api_tokens=TOKEN)
    with running(settings) as server:
        server.client.headers["Authorization"] = f"Bearer {TOKEN}"
        server.get("/v1/stats", min_position=server.service.reader.newest())
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system, or the one that `./scripts/test` fetches; never none.

    It goes with the module: its event loop runs in the thread of the tests, where no other may.
    """
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, desk: Running) -> str:
    """The cookies of somebody who has signed in with the form."""
    with browser.new_context(base_url=desk.url) as context:
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(desk.url + "/")
        file = Path(tempfile.mkdtemp()) / "cookies.json"
        context.storage_state(path=file)
    return str(file)


@pytest.fixture
def visit(browser: Browser, desk: Running, signed_in: str) -> Iterator[Opener]:
    """Open a page as somebody who has signed in; what the browser complains of fails the test."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def open_(path: str, *, width: int = 1280, **options: Any) -> Page:
        given = {"storage_state": signed_in, "base_url": desk.url, **options}
        context = browser.new_context(viewport={"width": width, "height": 900}, **given)
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
