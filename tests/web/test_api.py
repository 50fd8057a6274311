"""The query API: the same answers as the command line, in pages that hold still."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from servers import Running, Serve

from dixa_state.cli import run

PAGED = [
    "/v1/conversations",
    "/v1/conversations?sort=csid",
    "/v1/conversations?as_of=2026-03-02T09:00:00Z",
    "/v1/conversations/70431/timeline",
    "/v1/conversations/70431/transitions",
    "/v1/conversations/70431/events",
    "/v1/transitions",
    "/v1/transitions?since=-9999d",
    "/v1/sla",
    "/v1/bans?history=true",
]


def command(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    assert run([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def still(document: Any) -> Any:
    """Leave out what grows while the test runs."""
    return {key: value for key, value in document.items() if key != "durations"}


def every(server: Running, path: str, **query: Any) -> list[Any]:
    """Follow `meta.next` from page to page."""
    page = server.get(path, **query)
    found = page["data"]
    while "next" in page["meta"]:
        page = server.get(page["meta"]["next"])
        found += page["data"]
    return found


def test_a_conversation_is_as_the_command_line_tells_it(
    day: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    for csid in ("70431", "70432"):
        [told] = command(capsys, "status", csid, "--store", day.store)
        assert still(day.get(f"/v1/conversations/{csid}")) == still(told)
    [told] = command(
        capsys, "status", "70431", "--as-of", "2026-03-02T10:30:00Z", "--store", day.store
    )
    asked = day.get("/v1/conversations/70431", as_of="2026-03-02T10:30:00Z")
    assert asked == told
    assert (asked["status"], asked["as_of"]) == ("closed", "2026-03-02T10:30:00.000Z")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/conversations/70431/timeline", ["timeline", "70431"]),
        ("/v1/conversations/70431/transitions", ["audit", "70431"]),
        ("/v1/transitions", ["audit"]),
        ("/v1/transitions?from=open&to=closed", ["audit", "--from", "open", "--to", "closed"]),
        ("/v1/sla", ["sla"]),
        ("/v1/sla?status=breached", ["sla", "--status", "breached"]),
        ("/v1/sla/attainment?by=queue", ["sla", "--attainment", "--by", "queue"]),
        ("/v1/stats/daily", ["stats", "--daily"]),
        ("/v1/bans?history=true", ["bans", "--history"]),
        ("/v1/missed", ["audit", "--missed"]),
    ],
)
def test_a_list_is_as_the_command_line_tells_it(
    day: Running,
    capsys: pytest.CaptureFixture[str],
    path: str,
    words: list[str],
) -> None:
    assert day.get(path)["data"] == command(capsys, *words, "--store", day.store)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, []),
        ({"status": ["open", "closed"]}, ["--status", "open", "--status", "closed"]),
        ({"assignee": "none"}, ["--assignee", "none"]),
        ({"queue": "Logistics"}, ["--queue", "Logistics"]),
        ({"tag": "replacement", "channel": "widget_chat"}, ["--tag", "replacement"]),
        ({"text": "sand"}, ["--text", "sand"]),
        ({"irregular": "true"}, ["--irregular"]),
        ({"created_since": "2026-03-02T08:10:00Z"}, ["--created-since", "2026-03-02T08:10:00Z"]),
        ({"as_of": "2026-03-02T08:30:30Z"}, ["--as-of", "2026-03-02T08:30:30Z"]),
        ({"sort": "csid"}, ["--sort", "csid"]),
    ],
)
def test_conversations_are_filtered_as_on_the_command_line(
    day: Running,
    capsys: pytest.CaptureFixture[str],
    query: dict[str, Any],
    words: list[str],
) -> None:
    asked = day.get("/v1/conversations", **query)["data"]
    told = command(capsys, "list", *words, "--store", day.store)
    assert [still(item) for item in asked] == [still(item) for item in told]


def test_statistics_are_as_the_command_line_tells_them(
    day: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    [told] = command(capsys, "stats", "--store", day.store)
    assert day.get("/v1/stats") == told


def test_an_end_user_is_known_by_bans_and_conversations(day: Running) -> None:
    bans = day.get("/v1/bans", history=True)["data"]
    banned = next(ban for ban in bans if ban["kind"] == "enduser")
    found = day.get(f"/v1/endusers/{banned['id']}")
    assert (found["banned"], found["ban"]) == (False, banned)
    assert found["user"]["email"] == "jon.berg@example.com"
    assert found["conversations"] == {"abandoned": 1}


@pytest.mark.parametrize("path", PAGED)
def test_pages_follow_one_another_without_a_gap_or_a_repetition(day: Running, path: str) -> None:
    whole = day.get(path)["data"]
    assert len(whole) > 1
    paged = every(day, path, pageLimit=1)
    assert [_fixed(item) for item in paged] == [_fixed(item) for item in whole]


def test_pages_are_of_the_moment_of_the_first_one(server: Running, day_lines: list[bytes]) -> None:
    half = len(day_lines) // 2 + 12
    server.send(day_lines[:half])
    before = {path: (server.get(path)["data"], server.get(path, pageLimit=1)) for path in PAGED}
    server.send(day_lines[half:])
    for path, (whole, first) in before.items():
        page, found = first, first["data"]
        while "next" in page["meta"]:
            page = server.get(page["meta"]["next"])
            found += page["data"]
        if not path.startswith("/v1/bans"):  # a ban that was lifted meanwhile is shown as it is
            assert [_fixed(item) for item in found] == [_fixed(item) for item in whole], path
        assert len(found) >= len(whole), path


def _fixed(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "durations"}


def test_a_page_key_of_another_query_is_refused(day: Running) -> None:
    address = day.get("/v1/transitions", pageLimit=1)["meta"]["next"]
    query = urlsplit(address).query
    answer = day.client.get(f"/v1/transitions?to=closed&{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid"
    assert "pageKey" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "status", "code", "told"),
    [
        ("/v1/conversations/1", 404, "not_found", "no webhook about it"),
        ("/v1/conversations/70431?as_of=2020-01-01", 404, "not_found", "it is known since"),
        ("/v1/conversations/70431?as_of=2999-01-01", 400, "invalid", "expected a time up to now"),
        ("/v1/conversations?as_of=2999-01-01", 400, "invalid", "expected a time up to now"),
        ("/v1/conversations?statsu=open", 400, "invalid", "statsu: expected no parameter of this"),
        ("/v1/conversations?status=opened", 400, "invalid", "'open', 'pending', 'closed' or"),
        ("/v1/conversations?pageLimit=201", 400, "invalid", "less than or equal to 200, got '201'"),
        ("/v1/conversations?created_since=soon", 400, "invalid", "a time such as"),
        (
            "/v1/conversations?created_since=2026-03-03&created_until=2026-03-02",
            400,
            "invalid",
            "",
        ),
        ("/v1/conversations/0", 400, "invalid", "greater than or equal to 1"),
        ("/v1/conversations/abc", 400, "invalid", "csid"),
        ("/v1/stats?min_position=99", 400, "invalid", "at most 45, got 99"),
        ("/v1/endusers/nobody", 404, "not_found", "no ban and no conversation"),
        ("/v2/conversations", 404, "not_found", "/docs"),
    ],
)
def test_what_cannot_be_answered_says_what_was_expected(
    day: Running, path: str, status: int, code: str, told: str
) -> None:
    answer = day.client.get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert told in error["message"]


def test_conversations_of_one_number_in_two_organizations_must_be_told_apart(
    server: Running, day_lines: list[bytes]
) -> None:
    other = json.loads(day_lines[0])
    other |= {"event_id": "other", "organization": {"id": "o-2", "name": "Other"}}
    server.send([day_lines[0], json.dumps(other).encode()])
    answer = server.client.get("/v1/conversations/70431")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ambiguous")
    for named in ("o-2", "OTHER"):
        asked = server.get("/v1/conversations/70431", organization=named)
        assert asked["organization_id"] == "o-2"
    answer = server.client.get("/v1/stats", params={"organization": "Othr"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_name")
    assert answer.json()["error"]["message"].endswith("got 'Othr'; the nearest known: Other")


def test_known_at_tells_what_was_believed_then(server: Running, day_lines: list[bytes]) -> None:
    server.send(day_lines[:10])
    known_at = server.get("/v1/conversations/70431/events")["data"][-1]["received_at"]
    server.send(day_lines[10:])
    then = server.get("/v1/conversations/70431", known_at=known_at)
    assert then["status"] != server.get("/v1/conversations/70431")["status"]
    assert then["known_at"] == known_at
    moves = server.get("/v1/conversations/70431/transitions", known_at=known_at)["data"]
    assert moves[-1]["to"] == then["status"]


def test_dixas_own_search_body_finds_conversations(day: Running) -> None:
    body = {
        "filters": {
            "strategy": "All",
            "conditions": [
                {
                    "field": {
                        "_type": "Status",
                        "operator": {"_type": "IsOneOf", "values": ["Closed"]},
                    }
                },
                {
                    "field": {
                        "_type": "TagId",
                        "operator": {"_type": "IncludesOne", "values": ["replacement"]},
                    }
                },
            ],
        }
    }
    answer = day.client.post("/v1/search/conversations", json=body)
    assert [item["csid"] for item in answer.json()["data"]] == [70431]
    body["filters"]["strategy"] = "Any"
    answer = day.client.post("/v1/search/conversations?pageLimit=1", json=body).json()
    following = day.client.post(answer["meta"]["next"], json=body).json()
    found = [item["csid"] for page in (answer, following) for item in page["data"]]
    assert sorted(found) == [70431, 70432]
    wrong = day.client.post("/v1/search/conversations", json={"filters": {"conditions": [{}]}})
    assert wrong.status_code == 400
    assert "filters.conditions.0" in wrong.json()["error"]["message"]


def test_a_question_may_ask_for_what_was_just_answered(
    serve: Serve, store_url: str, day_lines: list[bytes]
) -> None:
    server = serve(store_url)
    for line in day_lines:
        position = server.post(line).json()["position"]
        assert server.get("/v1/stats", min_position=position)["position"] >= position
