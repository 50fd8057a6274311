"""What an operator sets: a path prefix, origins, names for tokens; and what strangers are told."""

import logging
import re
from typing import Any

import httpx
import pytest
from servers import Running, Serve, eventually

from dixa_state.errors import StoreUnavailableError
from dixa_state.web.policy import parse_tokens

TOKEN = "0123456789abcdef"  # noqa: S105 — for tests only
ORIGIN = "https://desk.example"


@pytest.fixture
def prefixed(serve: Serve, sqlite_url: str, day_lines: list[bytes]) -> Running:
    server = serve(sqlite_url, root_path="/dixa")
    server.send(day_lines)
    return server


def test_every_link_begins_with_the_prefix_and_works_with_or_without_it(prefixed: Running) -> None:
    client = prefixed.client
    for page in ("/dixa/", "/dixa/docs"):
        found = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", client.get(page).text)
        links = {link for link in map("".join, found) if link[0] not in "#?"}
        assert len(links) >= 4
        for link in links:
            assert link.startswith("/dixa/")
            assert client.get(link).status_code == 200
            assert client.get(link.removeprefix("/dixa")).status_code == 200
    assert prefixed.get("/dixa/openapi.json")["servers"] == [{"url": "/dixa"}]
    following = prefixed.get("/dixa/v1/conversations", pageLimit=1)["meta"]["next"]
    assert following.startswith("/dixa/v1/conversations?")
    assert prefixed.get(following)["data"]
    assert client.post("/dixa/webhooks/dixa", content=b"{}").status_code == 401
    assert client.get("/dixadocs").status_code == 404


def test_pages_of_the_origins_that_are_set_may_read(serve: Serve, sqlite_url: str) -> None:
    server = serve(sqlite_url, cors_origins=f"{ORIGIN}, https://b.example", api_tokens=TOKEN)
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = server.client.options("/v1/stats", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert server.client.options("/v1/stats", headers=asked | {"Origin": "x"}).status_code == 400
    with server.client.stream(
        "GET", f"/v1/stream?access_token={TOKEN}", headers={"Origin": ORIGIN}
    ) as stream:
        assert stream.headers["access-control-allow-origin"] == ORIGIN
        assert next(stream.iter_lines()) == "retry: 1000"
    assert server.client.get(f"/v1/stats?access_token={TOKEN}").status_code == 401


def test_live_updates_refuse_unknown_parameters(shared: Running) -> None:
    answer = shared.client.get("/v1/stream?since=3")
    assert answer.status_code == 400
    assert "since: expected no parameter of this name" in answer.text


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        (TOKEN, ["token 1"]),
        (f"grafana={TOKEN},{TOKEN}x", ["grafana", "token 2"]),
        (f"{TOKEN}==", ["token 1"]),
        (f"no name={TOKEN}", ["token 1"]),
    ],
)
def test_tokens_have_names(setting: str, names: list[str]) -> None:
    assert [token.name for token in parse_tokens(setting)] == names


def test_the_log_says_who_asked_for_what(
    serve: Serve, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(sqlite_url, api_tokens=f"grafana={TOKEN}")
    with caplog.at_level(logging.INFO, logger="dixa_state.web"):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert server.client.get("/v1/conversations/7", headers=headers).status_code == 404
        eventually(lambda: "request" in caplog.messages)
    [line] = [vars(record) for record in caplog.records if record.message == "request"]
    assert (line["reader"], line["csid"], line["status"]) == ("grafana", "7", 404)
    assert TOKEN not in str(line)


def test_a_time_is_read_where_its_plus_was_not_escaped(shared: Running) -> None:
    for zone in ("+02:00", "%2B02:00", " 02:00"):
        url = f"/v1/conversations?as_of=2026-03-02T10:00:00{zone}"
        assert shared.client.get(url).json()["meta"]["as_of"] == "2026-03-02T08:00:00.000Z"


@pytest.mark.parametrize("path", ["/v1/stats", "/webhooks/dixa"])
def test_strangers_are_told_nothing_of_the_database(
    serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    server = serve(sqlite_url)

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("db7.internal refused") from OSError("db7.internal refused")

    monkeypatch.setattr(server.service.reader, "ask", fail)
    monkeypatch.setattr(server.service.inbox, "_append", fail)
    answer: httpx.Response = server.post(b"{}") if "hook" in path else server.client.get(path)
    assert answer.status_code == 503
    assert "db7" not in answer.text
    assert "the log says why" in answer.text
