"""Verify: whatever somebody changes in the views or in the store, it finds."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from projections import HOME, Place, deliver, findings, opened, project, rows

from dixa_state.cli import run
from dixa_state.dixa.signature import Secrets, parse_secrets, sign
from dixa_state.views.ranges import Range
from dixa_state.views.tables import TABLES
from dixa_state.views.verify import check_range

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


def test_it_finds_that_the_tail_was_cut_off(day_store: str, execute: Execute) -> None:
    execute("DELETE FROM stored_events WHERE notification_id > 43")
    execute("DELETE FROM deduplication WHERE notification_id > 43")
    with opened(day_store) as place:
        assert "head" in where(day_store, place)


def test_it_finds_that_an_event_was_deleted_and_the_rest_renumbered(
    day_store: str, execute: Execute
) -> None:
    execute("DELETE FROM stored_events WHERE notification_id = 20")
    for table in ("stored_events", "deduplication"):
        execute(f"DELETE FROM {table} WHERE notification_id = 20")  # noqa: S608
        for position in range(21, 46):
            execute(
                f"UPDATE {table} SET notification_id = {position - 1} "  # noqa: S608
                f"WHERE notification_id = {position}"
            )
    with opened(day_store) as place:
        assert "head" in where(day_store, place)


def test_it_finds_that_two_events_were_swapped(day_store: str, execute: Execute) -> None:
    for old, new in ((30, -1), (31, 30), (-1, 31)):
        execute(
            f"UPDATE stored_events SET notification_id = {new} WHERE notification_id = {old}"  # noqa: S608
        )
    with opened(day_store) as place:
        assert {"event 30", "event 31"} <= set(where(day_store, place))


def test_it_finds_that_changes_are_refused_no_longer(day_store: str, execute: Execute) -> None:
    if day_store.startswith("sqlite"):
        execute("DROP TRIGGER stored_events_refuse_update")
    else:
        execute("ALTER TABLE stored_events DISABLE TRIGGER stored_events_refuse_change")
        execute(
            "CREATE OR REPLACE FUNCTION stored_events_refuse_change() RETURNS trigger "
            "LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
    with opened(day_store) as place:
        found = where(day_store, place)
    if day_store.startswith("sqlite"):
        assert found == ["trigger stored_events_refuse_update"]
    else:
        assert set(found) == {
            "trigger stored_events_refuse_change",
            "trigger stored_events_refuse_truncate",
            "trigger deduplication_refuse_change",
        }


def test_it_finds_that_events_are_appended_by_another_function(
    make_postgres_store: Callable[[], str],
) -> None:
    with opened(url := make_postgres_store()) as place:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT pg_get_functiondef(to_regproc('append_events'))"
            ).fetchone()
            assert row
            other = row[0].replace("NOTIFY stored_events", "PERFORM 1")
            connection.execute(other.encode())
        assert where(url, place) == ["function append_events"]


def test_it_finds_that_history_may_be_changed_for_ever(day_store: str, execute: Execute) -> None:
    if day_store.startswith("sqlite"):
        with closing(sqlite3.connect(day_store.removeprefix("sqlite:///"))) as connection:
            connection.execute("INSERT INTO maintenance (reason) VALUES ('left')")
            connection.commit()
    else:
        with psycopg.connect(day_store) as connection:
            name = connection.info.dbname
        execute(f"ALTER DATABASE {name} SET dixa_state.maintenance = 'on'")
    with opened(day_store) as place:
        assert "maintenance" in where(day_store, place)


def test_it_finds_a_quarantined_body_that_was_changed(day_store: str, execute: Execute) -> None:
    with opened(day_store) as place:
        deliver(place[0], [b"nonsense", b"more nonsense"])
        assert findings(day_store, place) == []
    blob = "x'00'" if day_store.startswith("sqlite") else "'\\x00'::bytea"
    execute(f"UPDATE quarantine SET body = {blob} WHERE id = 2")  # noqa: S608
    with opened(day_store) as place:
        assert where(day_store, place) == ["quarantine 2"]


def test_it_finds_a_damaged_page(sqlite_url: str, day_lines: list[bytes]) -> None:
    with opened(sqlite_url) as place:
        deliver(place[0], day_lines)
        project(place)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        [(root,)] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'v1_conversations_csid'"
        )
        [(size,)] = connection.execute("PRAGMA page_size")
    with Path(sqlite_url.removeprefix("sqlite:///")).open("r+b") as file:
        file.seek((root - 1) * size + size - 20)
        file.write(b"\xff" * 20)
    with opened(sqlite_url) as place:
        assert "integrity" in where(sqlite_url, place)


def test_it_finds_what_no_secret_has_signed(
    store_url: str, day_lines: list[bytes], execute: Execute
) -> None:
    secret = b"s" * 16
    secrets = parse_secrets(f"sub-1={secret.hex()}")
    with opened(store_url) as place:
        for line in day_lines[:4]:
            place[0].append(line, signature=sign(line, secret, t=1), subscription_id="sub-1")
        place[0].append(day_lines[4])
        project(place)
        assert findings(store_url, place, secrets) == []
    replaced(store_url, execute, 2, b"t=1,", b"t=2,")
    replaced(store_url, execute, 3, b"sub-1", b"sub-2")
    with opened(store_url) as place:
        found = findings(store_url, place, secrets)
        assert findings(store_url, place) == []
    assert [finding.where for finding in found] == ["event 2", "event 3"]
    assert found[0].got.startswith("mismatch")
    assert found[1].got.startswith("unknown_subscription")


def test_it_finds_nothing_wrong_where_a_service_goes_on_meanwhile(day_store: str) -> None:
    with opened(day_store) as place:
        behind = Range("", "~", 20)  # the position when it began
        assert check_range(Secrets(), place, behind) == (45, [])


def test_it_writes_nothing(day_store: str, day_lines: list[bytes]) -> None:
    """Rows that somebody changed must not be repaired by the events that come after."""
    with opened(day_store) as place:
        deliver(place[0], [line.replace(HOME, b"more") for line in day_lines])
        before = rows(place[1]), place[1].progress()
        assert run(["verify", "--store", day_store]) == 0
        assert (rows(place[1]), place[1].progress()) == before


def test_the_command_says_that_all_is_well_and_exits_with_0(
    day_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "--store", day_store]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(r", in 0:00:0\d: everything is as the events say\n$", told.err)
    assert run(["verify", "--store", day_store, "--json"]) == 0
    assert capsys.readouterr().out == '{"events":45,"behind":0,"findings":[]}\n'


def test_the_command_shows_what_it_found_and_exits_with_1(
    day_store: str, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute("DELETE FROM v1_words WHERE word = '70431'")
    assert run(["verify", "--store", day_store, "--json"]) == 1
    out, err = capsys.readouterr()
    [finding] = json.loads(out)["findings"]
    with opened(day_store) as place:
        at, findings = place[1].verified()
    assert findings == 1
    assert at is not None
    assert timedelta(0) < datetime.now(UTC) - at < timedelta(minutes=1)
    assert run(["doctor", "--store", day_store]) == 1
    assert "problem: `verify` found differences 0:00:0" in capsys.readouterr().err
    assert finding == {
        "where": f"words of {CONVERSATION}",
        "expected": "word 70431",
        "got": "no such row",
    }
    assert err.endswith("1 differences found\n")
