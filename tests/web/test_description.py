"""The description of the API holds, for programs and for people."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from servers import Running, Serve

from dixa_state.questions import shapes
from dixa_state.questions.search import OPERATORS
from dixa_state.web.errors import Error

EXAMPLES = json.loads(
    (Path(shapes.__file__).parent / "web" / "examples.json").read_text(encoding="utf-8")
)
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


def test_every_answer_in_json_has_an_example_of_its_shape(sqlite_server: Running) -> None:
    api = sqlite_server.get("/openapi.json")
    schemas = api["components"]["schemas"]
    for path, methods in api["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["200"].get("content", {})
            if "application/json" in content and path not in ("/healthz", "/readyz"):
                schema = schemas[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
                if "data" in schema.get("properties", {}):
                    items = schema["properties"]["data"]["items"]["$ref"]
                    schema = schemas[items.rpartition("/")[2]]
                assert schema["examples"], path


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_has_its_shape(name: str) -> None:
    shape = getattr(shapes, name, Error)
    assert TypeAdapter(shape).validate_python(EXAMPLES[name], strict=True) == EXAMPLES[name]


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


def test_who_opens_the_address_is_led_to_the_page(sqlite_server: Running) -> None:
    answer = sqlite_server.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs")


def test_the_page_tells_what_a_search_takes_and_how_answers_look(sqlite_server: Running) -> None:
    page = sqlite_server.client.get("/docs").text
    for field, operators in OPERATORS.items():
        assert f"<tr><td><code>{field}</code></td><td>{', '.join(operators)}</td></tr>" in page
    assert page.count("<summary>An answer</summary>") > 10
    assert "Per Sand" in page
