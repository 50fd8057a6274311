"""The pages in a real browser: what people do with them, under the policy they are sent with."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from playwright.sync_api import Browser, expect
from servers import Running
from stories import HOSTILE, LATE, LOST, NAME, ORGANIZATION, SCRIPT, webhook
from visits import ROWS, TOKEN, Opener, shown_numbers, violations

from dixa_state.web.pages.frame import span

PAGES = (
    "/",
    f"/conversations/{LATE}",
    f"/conversations/{LATE}?depth=bodies&why=status",
    "/audit?since=always",
    "/audit?list=missed&since=always",
    "/sla",
    "/operations",
    "/login",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barriers_and_fits_light_and_dark_wide_and_narrow(
    visit: Opener, path: str
) -> None:
    page = visit(path, **({"storage_state": None} if path == "/login" else {}))
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    for scheme, width in (("light", 1280), ("dark", 400)):  # colours are those of any width
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page) == [], (scheme, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


@pytest.mark.parametrize(
    "path", ["/", "/audit?since=always", "/audit?list=missed", "/sla?by=agent"]
)
def test_pages_keep_the_organization_that_was_chosen(desk: Running, path: str) -> None:
    chosen = f"{path}{'&' if '?' in path else '?'}organization={ORGANIZATION['id']}"
    text = desk.client.get(chosen, headers={"Accept": "text/html"}).text
    links = re.findall(r'<a [^>]*href="(/[^"]*)"[^>]*>([^<]*)', text)
    assert len(links) > 10
    of_all = [name for link, name in links if "organization=" not in link]
    assert sorted(of_all) == ["HTTP API", "Show all"]
    hidden = f'<input type="hidden" name="organization" value="{ORGANIZATION["id"]}">'
    assert text.count("<form") == text.count(hidden) + text.count('<form method="post"')


def test_errors_are_pages_for_people_and_json_for_programs(desk: Running) -> None:
    for path, status in (("/nowhere", 404), ("/conversations/1", 404), ("/?sort=x", 400)):
        page = desk.client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert "<h1>" in page.text
        assert desk.client.get(path).json()["error"]["message"]
    assert desk.client.get("/v1/nowhere", headers={"Accept": "text/html"}).json()["error"]


def test_who_has_not_signed_in_is_asked_to_and_comes_back_to_the_page(
    browser: Browser, desk: Running
) -> None:
    with browser.new_context(base_url=desk.url) as context:
        page = context.new_page()
        page.goto(f"/conversations/{LATE}?depth=all")
        token = page.get_by_label("Token")
        token.fill("a-token-that-may-not-read")
        token.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("may not read")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(str(LATE))
        assert page.url.endswith("?depth=all")
        [cookie] = [one for one in context.cookies() if one["name"] == "dixa_state_session"]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        page.get_by_role("button", name="Sign out").click()
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_board_s_numbers_are_those_of_the_rows_that_they_open(
    desk: Running, visit: Opener
) -> None:
    page = visit("/", java_script_enabled=False)
    tiles = page.locator(".tiles a")
    for index in range(tiles.count()):
        count = int(tiles.nth(index).locator(".count").inner_text().replace(",", ""))
        link = tiles.nth(index).get_attribute("href") or ""
        assert len(rows_behind(desk, link)) == count, link
    links = page.locator(".groups td a")
    assert links.count() > 5
    for index in range(links.count()):
        link = links.nth(index).get_attribute("href") or ""
        assert len(rows_behind(desk, link)) == int(links.nth(index).inner_text()), link


def rows_behind(desk: Running, link: str) -> list[str]:
    """Follow the pages of a list."""
    found: list[str] = []
    while True:
        text = desk.client.get(link + ("&" if "?" in link else "?") + "pageLimit=200").text
        found += re.findall(r'<tr id="(c-[^"]+)"', text)
        following = re.search(r'href="([^"]*pageKey=[^"]*)" rel="next"', text)
        if following is None:
            return found
        link = following[1].replace("&amp;", "&")


def test_the_matrix_of_an_audit_opens_as_many_rows_as_each_cell_counts(
    desk: Running, visit: Opener
) -> None:
    page = visit("/audit?since=always", java_script_enabled=False)
    cells = page.locator(".matrix td", has=page.locator("a"))
    assert cells.count() > 3
    for cell in cells.all():
        link = cell.locator("a").get_attribute("href") or ""
        text = desk.client.get(link.replace("/audit", "/audit.csv")).text
        rows = list(csv.DictReader(text.splitlines()))
        assert len(rows) == int(cell.locator("a").inner_text().replace(",", "")), link
        waits = sorted(float(row["seconds_in_previous"]) for row in rows)
        assert cell.locator(".was").inner_text() == span(waits[(len(waits) + 1) // 2 - 1])


def test_missed_webhooks_are_listed_with_their_evidence(desk: Running, visit: Opener) -> None:
    begun, page_of = datetime.now(UTC) - timedelta(hours=2), "/audit?list=missed&since=always"
    told = [("CREATED", "OPEN", 0), ("CLOSED", "CLOSED", 30), ("CLOSED", "CLOSED", 90)]
    desk.send(
        [
            webhook(f"CONVERSATION_{name}", LOST, begun + timedelta(minutes=minutes), status)
            for name, status, minutes in told
        ]
    )
    rows = list(csv.DictReader(desk.client.get(page_of.replace("?", ".csv?")).text.splitlines()))
    listed = desk.get("/v1/missed", pageLimit=200)["data"]
    assert [(row["csid"], row["before"]) for row in rows] == [
        (str(one["csid"]), one["before"]) for one in listed
    ]
    page = visit(f"{page_of}&proof=repeat&field=status", java_script_enabled=False)
    row = page.locator("tbody tr", has_text=str(LOST))
    expect(row).to_contain_text("closed")
    page.set_viewport_size({"width": 400, "height": 900})
    assert (page.locator("table.lines").bounding_box() or {})["width"] < 400
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(LOST))


def test_an_audit_is_newest_first_and_names_the_holder_where_dixa_names_nobody(
    desk: Running, visit: Opener
) -> None:
    page = visit("/audit?since=always&pageLimit=20", java_script_enabled=False)
    first = page.locator("tbody tr td:first-child time")
    times = [one.get_attribute("datetime") or "" for one in first.all()]
    page.get_by_role("link", name="Next page").click()
    times += [one.get_attribute("datetime") or "" for one in first.all()]
    assert len(times) == 40
    assert times == sorted(times, reverse=True)
    text = desk.client.get("/audit?since=always&to=pending&pageLimit=200").text
    # told apart where another of that name has a transition among these
    assert re.search(r">\(Ida Holm( \(a-1\))?\)</bdi>", text)


def test_the_shares_of_slas_open_as_many_rows_as_they_count(desk: Running, visit: Opener) -> None:
    pages = [visit(f"/sla?by={by}", java_script_enabled=False) for by in ("agent", "queue")]
    links = [link for page in pages for link in page.locator(".shares td a").all()]
    assert len(links) > 5
    for link in links:
        address = (link.get_attribute("href") or "").replace("#list", "&pageLimit=200")
        rows = desk.client.get(address).text.partition('id="list"')[2]
        assert rows.count('<th scope="row">') == int(link.inner_text()), address


def test_what_is_wrong_with_a_spreadsheet_is_said_before_it_begins(desk: Running) -> None:
    for path in ("/audit", "/audit.csv"):
        answer = desk.client.get(f"{path}?until=2026-01-01")  # since today, if nothing else is said
        assert (answer.status_code, "expected a time before" in answer.text) == (400, True)


def test_a_cell_of_a_spreadsheet_holds_no_formula(desk: Running) -> None:
    text = desk.client.get("/audit.csv?since=always").text
    assert "'=cmd" in text
    assert ",=cmd" not in text


def test_operations_show_what_came_in_and_what_lies_in_quarantine(
    desk: Running, visit: Opener
) -> None:
    assert desk.post(f'{{"hostile": "{SCRIPT}"}}'.encode()).json()["outcome"] == "quarantined"
    page = visit("/operations")
    expect(page.get_by_text("in quarantine").locator("..")).to_contain_text("1")
    expect(page.get_by_text("verified", exact=True).locator("..")).to_contain_text("never")
    item = page.locator("details.item")
    item.locator("summary").click()
    expect(item.locator("pre")).to_contain_text(SCRIPT)
    expect(item).to_contain_text("dixa-state quarantine retry 1")


def test_without_scripts_lists_are_filtered_sorted_paged_and_searched(visit: Opener) -> None:
    page = visit("/?pageLimit=10&status=any", java_script_enabled=False)
    first = shown_numbers(page)
    page.get_by_role("link", name="Next page").click()
    second = shown_numbers(page)
    assert len(first) == len(second) == 10
    assert not set(first) & set(second)
    page.get_by_role("link", name="Conversation").click()
    assert shown_numbers(page) == sorted(shown_numbers(page), key=int)
    page.get_by_role("link", name="Waits").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Waits")
    page.get_by_role("link", name="Conversation").click()
    page.locator("select[name=status]").select_option("closed")
    page.locator("input[name=queue]").fill("Support")
    page.get_by_role("button", name="Filter").click()
    assert set(page.locator(f"{ROWS} .status:not(.breached)").all_inner_texts()) == {"closed"}
    assert "queue=Support" in page.url
    page.get_by_label("Find a conversation").fill(NAME.split()[0])
    page.get_by_label("Find a conversation").press("Enter")
    assert sorted(shown_numbers(page)) == [str(LATE), str(HOSTILE)]
    page.get_by_label("Find a conversation").fill(f"#{LATE}")
    page.get_by_label("Find a conversation").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(LATE))
    page.get_by_role("link", name="Earlier: what had happened by").click()
    expect(page.locator("tr[data-field=status]")).to_contain_text("was pending")
    page.get_by_role("link", name="Earlier: what was known by").click()
    assert page.url.count("_at=") + page.url.count("as_of=") == 2


def test_customers_text_is_shown_and_never_run(visit: Opener) -> None:
    page = visit(f"/conversations/{HOSTILE}?depth=bodies")
    expect(page.get_by_role("heading", level=1)).to_contain_text(SCRIPT)
    expect(page.locator("blockquote")).to_have_text(SCRIPT)
    expect(page.locator("tr[data-field=requester]")).to_contain_text(NAME)
    page.goto("/?status=open&queue=Support")
    row = page.locator(ROWS, has_text=str(HOSTILE))
    expect(row).to_contain_text(SCRIPT)


def test_every_pair_of_stops_shows_what_status_answers(desk: Running) -> None:
    address = f"/conversations/{LATE}"
    page = desk.client.get(address).text
    as_of, known_at = (
        re.findall(r'<option value="([^"]*)"', part) for part in page.split("<select")[1:]
    )
    assert len(as_of) == 7
    assert len(known_at) == 7
    for pair in product(as_of, known_at):
        query = {name: v for name, v in zip(("as_of", "known_at"), pair, strict=True) if v}
        shown = desk.client.get(address, params=query)
        asked = desk.client.get(f"/v1{address}", params=query)
        document = re.search(r'<pre id="document"[^>]*>(.*?)</pre>', shown.text, re.DOTALL)
        if asked.status_code == 404:
            assert document is None
            assert "nothing was known" in shown.text
            continue
        assert document is not None
        expected, found = asked.json(), json.loads(unescape(document[1]))
        expected.pop("durations"), found.pop("durations")  # these run on between the two
        assert found == expected


def test_why_names_the_event_behind_each_field_by_both_clocks(desk: Running, visit: Opener) -> None:
    page = visit(f"/conversations/{LATE}", java_script_enabled=False)
    for field in page.locator("tr[data-field]").all():
        name = field.get_attribute("data-field")
        cause = desk.get(f"/v1/conversations/{LATE}/why/{name}")
        link = (field.locator(".why a").get_attribute("href") or "").partition("#")[0]
        text = desk.client.get(link).text
        assert (f", position {cause['position']}<" in text) == (cause["position"] is not None)
    page.get_by_role("link", name="Why is the status so?").click()
    expect(page.locator(".cause")).to_have_text(
        re.compile(r"closed, position.*Before\s*pending", re.DOTALL)
    )
    page.get_by_role("link", name="Earlier: what had happened by").click()
    page.get_by_role("link", name="Earlier: what had happened by").click()
    expect(page.locator(".cause")).to_have_text(
        re.compile(r"pending, position.*Before\s*open", re.DOTALL)
    )
    page.locator(".cause a").click()
    expect(page.locator("li:target")).to_be_visible()


def unescape(text: str) -> str:
    for entity, character in (("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


def test_sliders_move_by_keys_and_the_address_follows(visit: Opener) -> None:
    page = visit(f"/conversations/{LATE}")
    slider = page.get_by_role("slider", name="What had happened by")
    slider.focus()
    for _ in range(2):
        with page.expect_response("**/*as_of=*"):
            page.keyboard.press("ArrowLeft")  # wherever the keyboard is by now
        expect(page.locator(".htmx-request")).to_have_count(0)
    expect(page.locator("tr[data-field=status]")).to_contain_text("pending")
    known = page.get_by_role("slider", name="What was known by")
    known.focus()
    known.press("Home")
    expect(page.locator("tr[data-field=status]")).to_contain_text("open")
    page.go_back()
    expect(page.locator("tr[data-field=status]")).to_contain_text("pending")


def test_everything_can_be_reached_by_keyboard(visit: Opener) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".tiles a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".tiles a").first).to_have_attribute("aria-current", "true")


def test_times_are_in_the_zone_of_the_reader_with_utc_on_hover(visit: Opener) -> None:
    page = visit(f"/conversations/{LATE}", timezone_id="Asia/Tokyo")
    expect(page.get_by_text("Times in Asia/Tokyo")).to_be_visible()
    time = page.locator(".facts time").first
    utc = (time.get_attribute("title") or "").removesuffix(" UTC")
    moment = datetime.fromisoformat(utc) + timedelta(hours=9)
    expect(time).to_contain_text(f"{moment:%H:%M}")
