"""Who has signed in: what the cookie opens, and what it does not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from servers import SECRET, Running, running
from visits import TOKEN

from dixa_state.settings import Settings
from dixa_state.web.policy import parse_tokens

WRITER = "a-token-that-may-write"
ASKS = {"Accept": "text/html"}
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = f"sqlite:///{tmp_path_factory.mktemp('sessions')}/store.db"
    given = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "write_tokens": f"lead={WRITER}"}
    with running(Settings(_env_file=None, store=store, **given)) as server:
        yield server


@pytest.fixture
def guarded(shared: Running) -> Running:
    shared.client.cookies.clear()
    return shared


def sign_in(server: Running, token: str = TOKEN, **headers: str) -> httpx.Response:
    return server.client.post("/login", data={"token": token}, headers=SAME | headers)


def test_the_cookie_opens_pages_and_never_the_api(guarded: Running) -> None:
    assert guarded.client.get("/", headers=ASKS).headers["location"] == "/login?to=%2F"
    assert sign_in(guarded).status_code == 303
    assert guarded.client.get("/", headers=ASKS).status_code == 200
    assert guarded.client.get("/v1/stats").status_code == 401


def test_a_session_ends_with_its_token(guarded: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TOKEN not in sign_in(guarded).cookies["dixa_state_session"]
    assert guarded.client.get("/", headers=ASKS).status_code == 200
    others = parse_tokens("another-token-that-may-read")
    monkeypatch.setattr(guarded.service, "policy", replace(guarded.service.policy, tokens=others))
    assert guarded.client.get("/", headers=ASKS).status_code == 303


def test_without_tokens_the_form_says_that_none_is_needed(
    guarded: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded.service, "policy", replace(guarded.service.policy, tokens=()))
    shown = guarded.client.get("/login", headers=ASKS)
    assert (shown.status_code, "reading needs no token" in shown.text) == (200, True)


@pytest.mark.parametrize("cookie", ["", ".", "1.", "99999999999.x", "²³.é", "0.0", "x" * 5_000])
def test_a_cookie_that_was_made_up_opens_nothing(guarded: Running, cookie: str) -> None:
    headers = {"Accept": "text/html", "Cookie": f"dixa_state_session={cookie}".encode()}
    assert guarded.client.get("/", headers=headers).status_code == 303


def test_forms_of_other_sites_are_refused(guarded: Running) -> None:
    for site in ("cross-site", "same-site", "none"):
        assert sign_in(guarded, **{"Sec-Fetch-Site": site}).status_code == 403
    form = {"data": {"token": TOKEN}}
    elsewhere = {"Origin": "https://evil.example"}
    assert guarded.client.post("/login", **form).status_code == 403
    assert guarded.client.post("/login", **form, headers=elsewhere).status_code == 403
    for odd in ("http://[", "//[", "null", ""):
        assert guarded.client.post("/login", **form, headers={"Origin": odd}).status_code == 403
    assert guarded.client.post("/login", **form, headers={"Origin": guarded.url}).status_code == 303


def test_a_writing_token_retries_and_discards_what_is_in_quarantine(guarded: Running) -> None:
    client = guarded.client
    assert guarded.post(b'{"no": "event"}').json()["outcome"] == "quarantined"
    retry, discard = (f"/operations/quarantine/1/{one}" for one in ("retry", "discard"))
    assert client.post(retry, headers=SAME).status_code == 401
    sign_in(guarded)
    assert client.post(retry, headers=SAME).status_code == 403
    assert f'action="{retry}"' not in client.get("/operations").text
    sign_in(guarded, token=WRITER)
    assert f'action="{retry}"' in client.get("/operations").text
    for site in ("cross-site", "same-site", "none"):
        assert client.post(discard, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.post(discard, headers={"Authorization": f"Bearer {WRITER}"}).status_code == 403
    kept = f"{retry}?organization=o"
    assert f'action="{kept}"' in client.get("/operations?organization=o").text
    answer = client.post(kept, headers=SAME)
    there = "/operations?outcome=quarantined&organization=o#quarantine"
    assert answer.headers["location"] == there
    answer = client.post(discard, headers=SAME)
    assert answer.headers["location"] == "/operations?outcome=discarded#quarantine"
    assert "Empty: every webhook became an event" in client.get("/operations").text
    for gone in (kept, discard):
        answer = client.post(gone, headers=SAME | {"Accept": "text/html"})
        assert answer.status_code == 404
        assert f'href="{gone.partition("?")[0]}' not in answer.text  # which only takes a POST


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_signing_in_leads_nowhere_else(guarded: Running, to: str) -> None:
    answer = guarded.client.post("/login", data={"token": TOKEN, "to": to}, headers=SAME)
    assert answer.headers["location"] == "/"


def test_behind_tls_the_cookie_is_for_tls_only(guarded: Running) -> None:
    assert "Secure" not in sign_in(guarded).headers["set-cookie"]
    assert "Secure" in sign_in(guarded, **{"X-Forwarded-Proto": "https"}).headers["set-cookie"]


def test_a_board_without_rows_says_whether_there_are_others(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    with running(Settings(_env_file=None, store=store, webhook_secrets=SECRET)) as server:
        assert "Once Dixa sends webhooks to" in server.client.get("/").text
        for line in day_lines:
            server.post(line)
        server.get("/v1/stats", min_position=server.service.reader.newest())
        shown = server.client.get("/").text
        assert "No conversation is open or pending. <a href=" in shown
        assert "Once Dixa sends" not in shown


def test_a_page_may_load_and_run_its_own_files_only(guarded: Running) -> None:
    policy = guarded.client.get("/login").headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
