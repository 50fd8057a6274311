"""The description of the API holds, for programs and for people."""

import re
import subprocess
from pathlib import Path

import pytest
from servers import Running, Serve

ROUTES = {
    ("post", "/webhooks/dixa"),
    ("get", "/v1/conversations"),
    ("get", "/v1/conversations/{csid}"),
    ("get", "/v1/conversations/{csid}/timeline"),
    ("get", "/v1/conversations/{csid}/transitions"),
    ("get", "/v1/conversations/{csid}/events"),
    ("get", "/v1/transitions"),
    ("get", "/v1/sla"),
    ("get", "/v1/stats"),
    ("get", "/v1/bans"),
    ("get", "/v1/endusers/{id}"),
    ("post", "/v1/search/conversations"),
    ("get", "/v1/stream"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


def test_every_route_of_the_contract_is_described(sqlite_server: Running) -> None:
    paths = sqlite_server.get("/openapi.json")["paths"]
    described = {(method, path) for path, methods in paths.items() for method in methods}
    assert described >= ROUTES


def test_the_page_for_people_lists_every_route_and_needs_no_script(sqlite_server: Running) -> None:
    page = sqlite_server.client.get("/docs").text
    for method, path in ROUTES:
        assert f"<b>{method.upper()}</b> <code>{path}</code>" in page
    assert "<script" not in page
    style = re.search(r'href="(/static/[^"]+)"', page)
    assert style
    assert sqlite_server.client.get(style[1]).headers["content-type"].startswith("text/css")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("token", [None, "a-token-for-the-tests"], ids=["open", "guarded"])
def test_the_api_does_what_its_description_says_whatever_it_is_asked(
    serve: Serve, sqlite_url: str, day_lines: list[bytes], tmp_path: Path, token: str | None
) -> None:
    server = serve(sqlite_url, allow_unsigned=True, api_tokens=token)
    for line in day_lines:
        server.post(line)
    words = ["schemathesis", "run", f"{server.url}/openapi.json", "--max-examples", "15"]
    words += ["--seed", "1", "--header", f"Authorization: Bearer {token}"] if token else []
    words += ["--exclude-path", "/v1/stream"]  # it has no end; tests of its own see to it
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8_000:]
