"""Boards that stand open: they change where they stand, and say when they cannot."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from html import unescape
from time import sleep

import pytest
from playwright.sync_api import Browser, Route, expect
from servers import Running
from stories import LIVE, QUEUE, webhook
from visits import ROWS, TOKEN, Opener, shown_numbers

from dixa_state.web.pages import live


def test_an_open_board_changes_where_it_stands(desk: Running, visit: Opener) -> None:
    page = visit("/?status=open&queue=Support&sort=-created_at")
    expect(page.locator("#live")).to_have_text("live")
    order, now = shown_numbers(page), datetime.now(UTC)
    row = page.locator(ROWS).first
    number = int(order[0])
    desk.post(webhook("CONVERSATION_CLOSED", number, now, "CLOSED")).raise_for_status()
    expect(row.locator(".status").first).to_have_text("closed")
    created = webhook(
        "CONVERSATION_CREATED", LIVE, now, "OPEN", queue={"id": "q-1", "name": "Support"}
    )
    desk.post(created).raise_for_status()
    expect(page.locator("#new")).to_contain_text("1 new")
    assert shown_numbers(page) == order
    page.get_by_role("link", name="1 new").click()
    expect(page.locator(ROWS, has_text=str(LIVE))).to_be_visible()


def test_an_open_board_changes_all_its_numbers_and_leaves_the_keyboard_where_it_is(
    desk: Running, visit: Opener
) -> None:
    page = visit("/?status=open&queue=Support&by=channel")
    expect(page.locator("#live")).to_have_text("live")
    [tile, group] = [page.locator(f"{one} a").first for one in ("#tiles", "#groups tbody")]
    opened, grouped = int(tile.locator(".count").inner_text()), int(group.inner_text())
    channel = page.locator("#groups tbody th").first.inner_text()
    group.focus()
    now = datetime.now(UTC)
    created = webhook("CONVERSATION_CREATED", LIVE + 2_000, now, "OPEN", channel=channel)
    desk.post(created).raise_for_status()
    expect(tile.locator(".count")).to_have_text(str(opened + 1))
    expect(group).to_have_text(str(grouped + 1))
    expect(group).to_be_focused()


def test_a_board_that_shows_nothing_is_live_too(desk: Running, visit: Opener) -> None:
    page = visit("/?text=zebra")
    expect(page.locator(".empty")).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    now = datetime.now(UTC)
    created = webhook("CONVERSATION_CREATED", LIVE + 3_000, now, "OPEN", subject="A zebra")
    desk.post(created).raise_for_status()
    expect(page.locator("#new")).to_contain_text("1 new")


def test_of_many_new_rows_it_says_that_there_are_more(
    desk: Running, visit: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_NEW", 2)
    page = visit("/?text=lynx")
    expect(page.locator("#live")).to_have_text("live")
    for number, said in ((1, "1 new"), (2, "2 new"), (3, "more than 2 new"), (4, "more than 2")):
        now = datetime.now(UTC)
        made = webhook("CONVERSATION_CREATED", LIVE + 4_000 + number, now, "OPEN", subject="A lynx")
        desk.post(made).raise_for_status()
        expect(page.locator("#new")).to_contain_text(said)


def test_a_board_that_was_cut_off_says_so_and_goes_on_where_it_was(
    desk: Running, visit: Opener
) -> None:
    page = visit("/?status=open&sort=-csid")
    expect(page.locator("#live")).to_have_text("live")
    page.route("**/live?*", lambda route: route.fulfill(content_type="text/event-stream", body=""))
    page.reload()
    expect(page.locator("#live")).to_contain_text("disconnected")
    number = shown_numbers(page)[0]
    desk.post(webhook("CONVERSATION_CLOSED", int(number), datetime.now(UTC), "CLOSED"))
    page.unroute("**/live?*")
    expect(page.locator("#live")).to_have_text("live", timeout=10_000)
    row = page.locator(ROWS, has_text=number)
    expect(row.locator(".status").first).to_have_text("closed")


@pytest.mark.parametrize("late", ["htmx.min.js", "hx-sse.min.js", "pages.js"])
def test_a_board_is_live_whichever_script_comes_last(visit: Opener, late: str) -> None:
    page = visit("/login")

    def hold_back(route: Route) -> None:
        sleep(1)
        route.continue_()

    page.route(f"**/{late}*", hold_back)
    page.goto("/")
    expect(page.locator("#live")).to_have_text("live")


def test_a_board_that_could_not_connect_says_so_and_tries_again(
    browser: Browser, desk: Running, signed_in: str
) -> None:
    with browser.new_context(base_url=desk.url, storage_state=signed_in) as context:
        page = context.new_page()
        page.route("**/live?*", lambda route: route.fulfill(status=503, body=""))
        page.goto("/")
        expect(page.locator("#live")).to_contain_text("disconnected")
        page.unroute("**/live?*")
        expect(page.locator("#live")).to_have_text("live")


def test_boards_with_the_same_filters_show_a_change_alike(desk: Running) -> None:
    number = LIVE + 1_000
    desk.post(webhook("CONVERSATION_CREATED", number, datetime.now(UTC), "OPEN", queue=QUEUE))
    desk.get("/v1/stats", min_position=desk.service.reader.newest())
    text = desk.client.get("/?queue=q-1&sort=-csid", headers={"Accept": "text/html"}).text
    assert int(re.search(r'id="c-(\d+)-', text)[1]) == number
    [live] = map(unescape, re.findall(r'hx-sse:connect="([^"]*)"', text))
    with ExitStack() as stack:
        opened = [stack.enter_context(desk.client.stream("GET", live)) for _ in range(2)]
        boards = [one.iter_lines() for one in opened]
        message = {"message": {"id": "m", "text": "Hello", "direction": "Inbound"}}
        at = datetime.now(UTC)
        desk.post(webhook("CONVERSATION_MESSAGE_ADDED", number, at, "OPEN", message))
        first, second = (row_of(number, lines) for lines in boards)
    assert f">{number}</a>" in first
    assert "Support (q-1)" in first  # two queues have that name
    assert first == second


def test_a_board_that_stays_open_counts_the_day_that_it_is_by_now(
    desk: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, now = LIVE + 5_000, datetime.now(UTC)
    for kind, status in (("CREATED", "OPEN"), ("CLOSED", "CLOSED")):
        desk.post(webhook(f"CONVERSATION_{kind}", number, now, status)).raise_for_status()
    desk.get("/v1/stats", min_position=desk.service.reader.newest())
    text = desk.client.get("/?text=nothing", headers={"Accept": "text/html"}).text
    [live] = map(unescape, re.findall(r'hx-sse:connect="([^"]*)"', text))
    with desk.client.stream("GET", live) as opened:
        lines = opened.iter_lines()
        assert closed_on(now, lines) > 0
        monkeypatch.setattr(desk.service.tracker, "_clock", lambda: now + timedelta(days=1))
        desk.post(webhook("CONVERSATION_CREATED", number + 1, now, "OPEN")).raise_for_status()
        assert closed_on(now + timedelta(days=1), lines) == 0


def closed_on(day: datetime, lines: Iterator[str]) -> int:
    """Return how many were closed on a day, as soon as the tiles are of that day."""
    link = rf"closed_since={day:%Y-%m-%d}[^>]*>[^<]*<span class=\"count\">(\d+)"
    text = ""
    for line in lines:
        text += line
        if found := re.search(link, text):
            return int(found[1])
    raise AssertionError(text)


def row_of(number: int, lines: Iterator[str]) -> str:
    """Return what comes in place of a row."""
    text = ""
    for line in lines:
        text += line
        if found := re.search(rf'hx-target="#c-{number}-.*?</hx-partial>', text):
            return found[0]
    raise AssertionError(text)


def test_the_browser_s_own_event_source_follows_the_stream(desk: Running, visit: Opener) -> None:
    page = visit("/login", storage_state=None)
    page.evaluate(
        """address => {
          const source = new EventSource(address);
          source.addEventListener("ready", () => { document.title = "ready"; });
          source.addEventListener("conversation", event => {
            document.title += ` ${JSON.parse(event.data).csid}`;
          });
        }""",
        f"/v1/stream?access_token={TOKEN}",
    )
    expect(page).to_have_title("ready")
    desk.post(webhook("CONVERSATION_PENDING", LIVE, datetime.now(UTC), "PENDING"))
    expect(page).to_have_title(f"ready {LIVE}")
