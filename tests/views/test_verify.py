"""Verify: whatever somebody changes in the views or in the store, it finds."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest
from projections import Place, deliver, findings, opened, project

from dixa_state.cli import run
from dixa_state.views.tables import TABLES

CONVERSATION = "conversation/5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11/70431"
ELSEWHERE = "conversation/5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11/70432"

Execute = Callable[[str], None]


@pytest.fixture
def day_store(store_url: str, day_lines: list[bytes]) -> str:
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        project(place)
    return store_url


@pytest.fixture
def execute(store_url: str) -> Execute:
    """Change the store behind the program's back, under maintenance, on whichever database."""

    def on_sqlite(statement: str) -> None:
        path = store_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO maintenance (reason) VALUES ('test')")
            connection.execute(statement)
            connection.execute("DELETE FROM maintenance")

    def on_postgres(statement: str) -> None:
        with psycopg.connect(store_url) as connection:
            connection.execute("SET LOCAL dixa_state.maintenance = 'on'")
            connection.execute(statement.encode())

    return on_sqlite if store_url.startswith("sqlite") else on_postgres


def where(url: str, place: Place) -> list[str]:
    return [finding.where for finding in findings(url, place)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            f"UPDATE v1_conversations SET status = 'open' WHERE stream = '{CONVERSATION}'",  # noqa: S608 — names of ours
            [f"conversations of {CONVERSATION}"] * 2,
        ),
        (
            f"DELETE FROM v1_transitions WHERE stream = '{CONVERSATION}' AND sequence = 2",  # noqa: S608 — names of ours
            [f"transitions of {CONVERSATION}"],
        ),
        (
            f"INSERT INTO v1_tags (stream, number, tag, since) VALUES ('{ELSEWHERE}', 9, 'x', 0)",  # noqa: S608 — names of ours
            [f"tags of {ELSEWHERE}"],
        ),
        (
            "INSERT INTO v1_words (word, stream) VALUES ('ghost', 'conversation/nobody/1')",
            ["words of conversation/nobody/1"],
        ),
        ("DELETE FROM v1_bans WHERE kind = 'ip' AND banned", None),
    ],
)
def test_it_finds_rows_that_were_changed_deleted_or_added(
    day_store: str, execute: Execute, change: str, expected: list[str] | None
) -> None:
    execute(change)
    with opened(day_store) as place:
        found = where(day_store, place)
    if expected is None:
        assert [name.partition("/")[0] for name in found] == ["bans of ip"]
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DELETE FROM deduplication WHERE notification_id = 9", ["deduplication", "event 9"]),
        (
            "UPDATE deduplication SET body_digest = event_key WHERE notification_id = 9",
            ["event 9"],
        ),
    ],
)
def test_it_finds_an_event_that_would_not_be_recognised_as_a_duplicate(
    day_store: str, execute: Execute, change: str, expected: list[str]
) -> None:
    execute(change)
    with opened(day_store) as place:
        assert where(day_store, place) == expected


def test_it_finds_that_an_event_was_deleted(day_store: str, execute: Execute) -> None:
    execute("DELETE FROM stored_events WHERE notification_id = 20")
    with opened(day_store) as place:
        found = where(day_store, place)
    assert found[:2] == ["positions", "deduplication"]
    assert f"versions of {CONVERSATION}" in found


def test_it_finds_that_the_newest_event_was_deleted(day_store: str, execute: Execute) -> None:
    execute("DELETE FROM stored_events WHERE notification_id = 45")
    with opened(day_store) as place:
        assert "deduplication" in where(day_store, place)


def test_it_finds_a_changed_topic(day_store: str, execute: Execute) -> None:
    execute("UPDATE stored_events SET topic = 'conversation.open' WHERE notification_id = 2")
    with opened(day_store) as place:
        found = where(day_store, place)
    assert found[0] == "event 2"
    assert set(found[1:]) <= {f"{table} of {CONVERSATION}" for table in TABLES}


def test_it_finds_a_topic_that_makes_no_difference_to_the_views(
    day_store: str, execute: Execute
) -> None:
    """A message and its delivery look alike to the views, but the body says which it was."""
    execute(
        "UPDATE stored_events SET topic = 'conversation.message_delivery_sent' "
        "WHERE topic = 'conversation.message_delivery_delivered'"
    )
    with opened(day_store) as place:
        assert len(where(day_store, place)) == 1


def replaced(url: str, execute: Execute, position: int, old: bytes, new: bytes) -> None:
    with opened(url) as (tracker, _):
        [event] = tracker.event_recorder.select_notifications(position, 1)
    assert old in event.state
    value = event.state.replace(old, new, 1).hex()
    literal = f"X'{value}'" if url.startswith("sqlite") else f"'\\x{value}'::bytea"
    execute(f"UPDATE stored_events SET state = {literal} WHERE notification_id = {position}")  # noqa: S608 — names of ours


def test_it_finds_a_changed_body_even_where_the_views_do_not_show_it(
    day_store: str, execute: Execute
) -> None:
    replaced(day_store, execute, 1, b'"name":"Aurora Outdoor"', b'"name":"Aurora Indoors"')
    with opened(day_store) as place:
        assert where(day_store, place) == ["event 1"]


def test_it_finds_a_body_that_cannot_be_read_any_more(day_store: str, execute: Execute) -> None:
    replaced(day_store, execute, 1, b'"event_id"', b'"event_ix"')
    with opened(day_store) as place:
        assert "event 1" in where(day_store, place)


def test_it_finds_a_state_that_is_not_even_json(day_store: str, execute: Execute) -> None:
    replaced(day_store, execute, 1, b'{"received_at"', b'{"received_at')
    with opened(day_store) as place:
        assert "event 1" in where(day_store, place)


def test_it_finds_a_malformed_signature(store_url: str, day_lines: list[bytes]) -> None:
    with opened(store_url) as place:
        place[0].append(day_lines[0], signature="not a signature")
        place[0].append(day_lines[1], signature=f"sha256={'0' * 64}")
        place[0].append(day_lines[2], signature="0" * 64)
        project(place)
        found = findings(store_url, place)
    assert found[0] == ("event 1", "a signature as Dixa writes it", "not a signature")


def test_the_command_says_that_all_is_well_and_exits_with_0(
    day_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "--store", day_store]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("row by row: everything is as the events say\n")


def test_the_command_shows_what_it_found_and_exits_with_1(
    day_store: str, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute("DELETE FROM v1_words WHERE word = '70431'")
    assert run(["verify", "--store", day_store, "--json"]) == 1
    out, err = capsys.readouterr()
    assert f"words of {CONVERSATION}" in out
    assert err.endswith("1 differences found\n")
