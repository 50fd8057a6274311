"""Absurd addresses and queries get an answer in our shape, and never a fault of ours."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Running, error_of
from sockets import exchange, request

pytestmark = pytest.mark.usefixtures("nothing_fails", "serves_on")

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}


def test_another_method_than_the_described_one_is_refused_and_told_which(shared: Running) -> None:
    paths: dict[str, Any] = shared.get("/openapi.json")["paths"]
    assert "/webhooks/dixa" in paths
    for path, operations in paths.items():
        described = {method.upper() for method in operations}
        for method in METHODS - described:
            answer = shared.client.request(
                method, path.format(csid=1, id="x", field="x", position=1)
            )
            assert (answer.status_code, answer.headers["allow"]) == (405, *described)
            assert error_of(answer) == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/stats/",
        "//v1/stats",
        "/webhooks",
        "/webhooks/dixa/",
        "/webhooks/dixa/x",
        "/Webhooks/Dixa",
        "/v1/conversations/1/nothing",
        "/%00",
        "/%ff%fe",
        "/v1/%zz",
        "/" + "a" * 50_000,
        "/" + "a/" * 10_000,
    ],
    ids=lambda path: path[:30],
)
def test_an_unknown_address_is_not_found(shared: Running, path: str) -> None:
    for method in ("GET", "POST"):
        [reply] = exchange(shared, request(f"{method} {path}"))
        assert (reply.status, error_of(reply.body)) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["../app.py", "../../pyproject.toml", "%2e%2e/app.py", "..%2fapp.py", "%00", "."]
)
def test_what_lies_beside_the_files_that_are_served_is_not_found(
    shared: Running, path: str
) -> None:
    [reply] = exchange(shared, request(f"GET /static/{path}"))
    assert (reply.status, error_of(reply.body)) == (404, "not_found")


@pytest.mark.parametrize(
    "csid", ["0", "-1", "x", "1.5", "%00", "9" * 19, "9" * 5_000, "1%20", "%31%ff", "NaN", "\u0661"]
)
def test_a_number_that_no_conversation_can_have_is_refused(shared: Running, csid: str) -> None:
    answer = shared.client.get(f"/v1/conversations/{csid}")
    assert (answer.status_code, error_of(answer)) in ((400, "invalid"), (404, "not_found"))
    assert len(answer.content) < 2_000


@pytest.mark.parametrize("key", ["%00", "%ff", "' OR 1=1", "x" * 20_000, "😀", "..", "%2e%2e%2f"])
def test_an_end_user_that_nobody_knows_is_not_found(shared: Running, key: str) -> None:
    answer = shared.client.get(f"/v1/endusers/{quote(key, safe='%')}")
    assert (answer.status_code, error_of(answer)) in ((400, "invalid"), (404, "not_found"))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("conversations", "nonsense=1"),
        ("conversations", "&".join(f"p{n}=1" for n in range(3_000))),
        ("conversations", "&".join(f"tag=t{n}" for n in range(3_000))),
        ("conversations", "text=" + "x" * 40_000),
        ("conversations", "as_of=0000-01-01"),
        ("conversations", "as_of=2016-12-31T23:59:60Z"),
        ("conversations", "as_of=2026-02-30"),
        ("conversations", "as_of=someday"),
        ("conversations", "as_of="),
        ("conversations", "as_of=1689238949803"),
        ("conversations", "created_since=0001-01-01T00:00:00%2B14:00"),
        ("conversations", "status=abgeschlossen"),
        ("conversations", "sort=subject"),
        ("conversations", "sort=-last_event_at;DROP"),
        ("conversations", "pageLimit=0"),
        ("conversations", "pageLimit=201"),
        ("conversations", "pageLimit=-1"),
        ("conversations", "pageLimit=1e2"),
        ("conversations", "pageLimit=" + "9" * 5_000),
        ("conversations", "min_position=-1"),
        ("conversations", "min_position=" + "9" * 30),
        ("conversations", "irregular=perhaps"),
        ("conversations", "text=%00&nonsense=%00"),
        ("transitions", "csid=0"),
        ("transitions", "csid=" + "9" * 40),
        ("transitions", "since=9999-12-31T23:59:59-14:00"),
        ("transitions", "from=nowhere"),
        ("sla", "status=late"),
        ("sla", "due_before=never"),
        ("sla/attainment", "by=moon"),
        ("stats", "status=open"),
        ("stats/daily", "since=-1"),
        ("bans", "history=2"),
        ("conversations/70431", "known_at=x"),
        ("conversations/70431/timeline", "as_of=2026-03-02"),
        ("stream", "after=-1"),
        ("stream", "after=soon"),
    ],
    ids=lambda text: text[:40],
)
def test_an_absurd_question_is_refused_and_told_why(shared: Running, path: str, query: str) -> None:
    answer = shared.client.get(f"/v1/{path}?{query}")
    assert (answer.status_code, error_of(answer)) == (400, "invalid")
    assert len(answer.json()["error"]["message"]) < 600


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("conversations", "as_of=9999-12-31T23:59:59Z"),
        ("conversations", "min_position=9000000000"),
        ("conversations/70431", "as_of=9999-01-01"),
        ("conversations/70431", "known_at=9999-01-01"),
        ("conversations/70431/transitions", "known_at=9999-01-01"),
    ],
)
def test_what_is_not_yet_cannot_be_asked_for(shared: Running, path: str, query: str) -> None:
    answer = shared.client.get(f"/v1/{path}?{query}")
    assert (answer.status_code, error_of(answer)) == (400, "invalid")


@pytest.mark.parametrize(
    "query",
    [
        "text=%ff%fe",
        "text=%zz%",
        "text=%00",
        "text=%22%2A%3A%28AND+NEAR",
        "text=%F0%9F%98%80%CC%81",
        "created_since=0001-01-01&created_until=9999-12-31T23:59:59.999999Z",
        "updated_since=9999-12-31T23:59:59.999999999Z",
        "created_since=0001-01-01T00:00:00-14:00",
        "&&&&",
    ],
)
def test_a_strange_question_has_an_answer(shared: Running, query: str) -> None:
    answer = shared.client.get(f"/v1/conversations?{query}")
    assert answer.status_code == 200
    assert answer.json()["meta"].keys() >= {"position", "as_of"}


@pytest.mark.parametrize(
    "query",
    [
        "tag=%c3%28",
        "tag=%ed%a0%80",
        "queue=%27%3B--",
        "assignee=%00",
        "organization=%00",
    ],
)
def test_a_name_that_nothing_ever_had_cannot_be_asked_for(shared: Running, query: str) -> None:
    answer = shared.client.get(f"/v1/conversations?{query}")
    assert (answer.status_code, error_of(answer)) == (400, "unknown_name")


odd = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["", "none", "open", "closed", "0", "1", "-1", "true", "\0", "%", "2026-03-02"]
    ),
    st.text("\ud800\udfff\0'\"%_\\*():^-", max_size=10),
)


@pytest.fixture(scope="module")
def questions(shared: Running) -> list[tuple[str, list[str]]]:
    """Every address that answers a query, with the parameters that it takes."""
    return [
        (path, [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"])
        for path, operations in shared.get("/openapi.json")["paths"].items()
        for method, operation in operations.items()
        if method == "get" and path != "/v1/stream"
    ]


@given(data=st.data())
@settings(max_examples=3 * settings().max_examples)
def test_every_query_has_an_answer(
    shared: Running, questions: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    path, known = data.draw(st.sampled_from(questions))
    names = st.sampled_from(known) if known else st.text(max_size=5)
    given_query = data.draw(st.lists(st.tuples(names, odd), max_size=4))
    query = urlencode(given_query, errors="surrogatepass")
    place = path.format(csid=70431, id="x", field="status", position=1)
    answer = shared.client.get(f"{place}?{query}")
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        error_of(answer)


@given(raw=st.binary(max_size=80).filter(lambda raw: not set(raw) & set(b"\r\n #")))
def test_whatever_stands_for_a_query_has_an_answer(shared: Running, raw: bytes) -> None:
    sent = b"GET /v1/conversations?%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    [reply] = exchange(shared, sent % raw)
    assert reply.status in (200, 400)
    if reply.status != 200:
        error_of(reply.body)


def test_a_page_key_is_good_for_its_own_query_only(shared: Running, day_lines: list[bytes]) -> None:
    shared.send(day_lines)
    page = shared.get("/v1/conversations", pageLimit=1)
    key = page["meta"]["next"].partition("pageKey=")[2]
    assert shared.client.get(page["meta"]["next"]).status_code == 200
    wrong = [
        f"/v1/conversations?status=closed&pageKey={key}",
        f"/v1/conversations?sort=csid&pageKey={key}",
        f"/v1/transitions?pageKey={key}",
        f"/v1/conversations/70431/timeline?pageKey={key}",
        f"/v1/bans?pageKey={key}",
        *(
            f"/v1/conversations?pageKey={quote(other)}"
            for other in ("", "x", "=" * 9, "é", key[:-1], key + "A", "A" * 3_999, "A" * 4_001)
        ),
    ]
    for address in wrong:
        answer = shared.client.get(address)
        assert (answer.status_code, error_of(answer)) == (400, "invalid")
        assert "pageKey" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 40_000, 400),
        (b'{"query": NaN}', 400),
        (b"\xff\xfe{}", 400),
        (b'{"query": {"value": "\\ud800"}}', 400),
        (b" " * 300_000, 413),
    ],
    ids=repr,
)
def test_a_search_that_is_none_is_refused(shared: Running, body: bytes, status: int) -> None:
    answer = shared.client.post("/v1/search/conversations", content=body)
    assert answer.status_code == status
    error_of(answer)


@pytest.mark.parametrize(
    "query", ["csid=1&csid=2", "as_of=2026-03-02&as_of=2026-03-03", "pageLimit=1&pageLimit=2"]
)
def test_what_means_one_thing_only_may_be_given_once(shared: Running, query: str) -> None:
    answer = shared.client.get(f"/v1/conversations?{query}")
    assert (answer.status_code, error_of(answer)) == (400, "invalid")
    assert "expected once, got 2 times" in answer.json()["error"]["message"]
    assert shared.client.get("/v1/conversations?channel=a&channel=b").status_code == 200
