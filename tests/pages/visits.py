"""What the tests of the pages share: a token that may read, how pages are opened and judged."""

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TOKEN = "a-token-that-may-read"  # noqa: S105 — for tests only
ROWS = "table.list tbody tr"
Opener = Callable[..., Page]


def shown_numbers(page: Page) -> list[str]:
    """Return the numbers of the conversations that a board lists."""
    return page.locator(f"{ROWS} th a").all_inner_texts()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]
