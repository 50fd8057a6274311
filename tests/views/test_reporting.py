"""The views for analysts: documented, readable by any client, and the same after a replay."""

# ruff: noqa: S608 — names of views are ours

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from projections import deliver, opened, project, replay

from dixa_state.questions import Conversations, Transitions
from dixa_state.store.sql import roles
from dixa_state.views.reporting import reporting_views

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, day_lines: list[bytes]
) -> str:
    """The example day, its views up to date."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('reporting')}/store.db"
    else:
        url = request.getfixturevalue("make_postgres_store")()
    with opened(url) as place:
        deliver(place[0], [*day_lines, HOSTILE])
        project(place)
    return url


HOSTILE = rb"""{"event_id": "nul", "event_fqn": "CONVERSATION_NOTE_ADDED",
    "event_timestamp": "2026-03-02T08:00:00Z",
    "data": {"conversation": {"csid": 1, "subject": "a\u0000b", "status": "OPEN"}}}"""


def select(url: str, sql: str) -> list[dict[str, Any]]:
    """Run a statement as any program would, on a connection of its own."""
    sqlite = url.startswith("sqlite")
    opened_store: Any = (
        sqlite3.connect(url.removeprefix("sqlite:///")) if sqlite else psycopg.connect(url)
    )
    with closing(opened_store) as connection:
        spelled = sql.replace("reporting.", "reporting_") if sqlite else sql
        cursor = connection.execute(spelled)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize("view", reporting_views(), ids=lambda view: view.name)
def test_every_column_is_there_and_has_a_comment(store: str, view: Any) -> None:
    found = select(store, f"SELECT * FROM reporting.{view.name} ORDER BY 1, 2")
    assert found or view.name == "missed_webhooks"
    for row in found:
        assert list(row) == list(view.columns)
    if store.startswith("postgres"):
        [comments] = select(
            store,
            "SELECT obj_description(c.oid) AS about, ARRAY(SELECT col_description(c.oid, attnum)"
            " FROM pg_attribute WHERE attrelid = c.oid ORDER BY attnum) AS columns"
            f" FROM pg_class AS c WHERE oid = 'reporting.{view.name}'::regclass",
        )
        assert comments == {"about": view.about, "columns": list(view.columns.values())}
    else:
        [kept] = select(
            store, f"SELECT sql FROM sqlite_master WHERE name = 'reporting_{view.name}'"
        )
        assert all(f"-- {about}" in kept["sql"] for about in (view.about, *view.columns.values()))


def as_text(time: str | datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "") if isinstance(time, datetime) else time


def test_they_say_what_the_questions_say(store: str) -> None:
    with opened(store) as (tracker, _):
        conversations = list(tracker.every(Conversations(sort="csid")))
        transitions = list(tracker.every(Transitions(csid=70431)))
    rows = select(store, "SELECT * FROM reporting.conversations ORDER BY csid")
    assert [row["csid"] for row in rows] == [found.csid for found in conversations]
    for row, found in zip(rows, conversations, strict=True):
        assert row["status"] == found.status
        assert row["requester_name"] == (found.requester.name if found.requester else None)
        assert _same_time(row["created_at"], found.created_at or found.times.last_event_at)
        assert row["position"] == found.position
    moves = select(
        store, "SELECT * FROM reporting.transitions WHERE csid = 70431 ORDER BY sequence"
    )
    for row, move in zip(moves, transitions, strict=True):
        assert (row["from_status"], row["to_status"]) == (move.from_status, move.to_status)
        assert (row["event"], row["event_id"]) == (move.event, move.event_id)
        assert row["holder_name"] == (move.holder.name if move.holder else None)
        assert _same_time(row["happened_at"], move.at)
        assert _same_time(row["received_at"], move.received_at)


def _same_time(shown: str | datetime, time: datetime | None) -> bool:
    """SQLite has texts, to the millisecond."""
    assert time is not None
    if isinstance(shown, datetime):
        return shown == time and shown.tzinfo is not None
    assert shown.endswith("Z")
    return abs((datetime.fromisoformat(shown) - time).total_seconds()) < 0.001


def test_what_others_made_of_them_outlives_a_replay(store: str) -> None:
    if store.startswith("postgres"):
        with psycopg.connect(store) as connection:
            connection.execute("CREATE VIEW mine AS SELECT count(*) FROM reporting.conversations")
    before = select(store, "SELECT * FROM reporting.transitions ORDER BY csid, sequence")
    with opened(store) as place:
        replay(store, place)
    assert select(store, "SELECT * FROM reporting.transitions ORDER BY csid, sequence") == before
    if store.startswith("postgres"):
        assert select(store, "SELECT * FROM mine") == [{"count": 3}]


def test_the_analyst_reads_them_and_nothing_else(postgres_url: str, day_lines: list[bytes]) -> None:
    with opened(postgres_url) as place:
        deliver(place[0], day_lines)
        project(place)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(roles().encode())
    owner, analyst = (
        postgres_url.replace("postgres:@", f"dixa_state_{role}:@") for role in ("owner", "analyst")
    )
    with opened(owner) as place:
        replay(owner, place)
    for view in reporting_views():
        select(analyst, f"SELECT * FROM reporting.{view.name}")
    for table in ("stored_events", "conversations", "v2_conversations", "quarantine", "projection"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            select(analyst, f"SELECT * FROM {table}")


def examples(language: str) -> Iterator[str]:
    page = (DOCS / "sql.md").read_text(encoding="utf-8")
    yield from re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_example_in_the_docs_runs(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("sql", "postgresql" if store.startswith("postgres") else "sqlite"):
        for example in examples(kind):
            filled = example.replace("$__timeFilter(", "TIMESTAMPTZ '2026-03-01' < (")
            assert select(store, filled.rstrip().rstrip(";")), example
    if store.startswith("sqlite"):
        [script] = examples("python")
        path = store.removeprefix("sqlite:///")
        exec(compile(script.replace("dixa-state.db", path), "sql.md", "exec"), {})  # noqa: S102
        assert capsys.readouterr().out.startswith("Support 2 ")
