"""Replay: the same rows again, beside the live ones, shown all at once or not at all."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from threading import Thread
from time import monotonic
from typing import Any

import psycopg
import pytest
from projections import (
    HOME,
    SMALL_RANGE,
    days,
    deliver,
    findings,
    opened,
    project,
    replay,
    rows,
    until,
    worker,
)

from dixa_state import ConversationTracker
from dixa_state.cli import run
from dixa_state.dixa.catalog import TYPES
from dixa_state.errors import SchemaError, StoreError, StoreUnavailableError
from dixa_state.questions import (
    Attainment,
    Bans,
    Conversations,
    Daily,
    OneEndUser,
    Reader,
    Search,
    SlaEvaluations,
    Stats,
    Transitions,
)
from dixa_state.questions.changes import changed_conversations, health
from dixa_state.store.postgres import PostgresRecorder
from dixa_state.store.sqlite import SqliteRecorder
from dixa_state.views import ranges
from dixa_state.views import replay as replaying
from dixa_state.views.generations import BUILDING, LIVE, RETIRED, Progress, Views
from dixa_state.views.tables import VIEW_VERSION

MANY = 12
"""Days that make several ranges of `SMALL_RANGE` events, so that worker processes fold them."""


@pytest.fixture
def many_days(store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(ranges, "RANGE", SMALL_RANGE)
    with opened(store_url) as place:
        for bodies in days(day_lines, MANY):
            deliver(place[0], bodies)
        project(place)
    return store_url


def generations(views: Views) -> dict[str, int]:
    with views.transaction() as connection:
        found = {name: views.read_progress(connection, name) for name in (LIVE, BUILDING, RETIRED)}
    return {name: progress.generation for name, progress in found.items() if progress}


def tables(views: Views) -> set[str]:
    """Name the generations of which there is a table."""
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    }
    with views.transaction() as connection:
        names = [name for (name,) in connection.run(catalog[views.dialect])]
    return {name.partition("_")[0] for name in names if name.endswith("_conversations")}


def fail(**_: object) -> Any:
    raise ValueError("no reader for this")


FAILING = TYPES["conversation.note_added"]._replace(fact=fail)


def test_the_example_day_live_and_after_a_replay_is_byte_identical(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        project(place, batch_size=4)
        live = rows(place[1])
        assert len(live["conversations"]) == 2
        assert len(live["bans"]) == 3
        assert replay(store_url, place).position == 45
        assert rows(place[1]) == live
        assert findings(store_url, place) == []


def test_events_that_come_after_a_replay_go_into_the_new_views(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place:
        deliver(place[0], day_lines[:20])
        project(place)
        replay(store_url, place)
        deliver(place[0], day_lines[20:])
        project(place)
        live = rows(place[1])
        assert place[1].progress().position == 45
        replay(store_url, place)
        assert rows(place[1]) == live


def test_an_empty_store_can_be_replayed(store_url: str) -> None:
    with opened(store_url) as place:
        assert replay(store_url, place).position == 0
        assert all(not some for some in rows(place[1]).values())


def test_the_old_views_are_gone_after_a_replay(store_url: str, day_lines: list[bytes]) -> None:
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        project(place)
        replay(store_url, place)
        assert list(generations(place[1])) == [LIVE]
        assert len(tables(place[1])) == 1


def test_many_ranges_on_all_cores_give_the_same_rows(many_days: str) -> None:
    with opened(many_days) as place:
        live = rows(place[1])
        told: list[int] = []
        replay(many_days, place, told.append)
        assert len(told) > 1
        assert told == sorted(told)
        assert rows(place[1]) == live


def test_an_event_that_cannot_be_folded_stops_a_replay_which_names_it_and_leaves_the_views(
    store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        project(place)
        live = rows(place[1])
        before = place[1].progress()
        monkeypatch.setitem(TYPES, "conversation.rated", FAILING)
        message = r"event \d+ of conversation/.* cannot be folded: ValueError: no reader for this"
        with pytest.raises(StoreError, match=message) as stopped:
            replay(store_url, place)
        assert "\n" not in str(stopped.value)
        assert (rows(place[1]), place[1].progress()) == (live, before)
        monkeypatch.undo()
        replay(store_url, place)
        assert rows(place[1]) == live
        assert len(tables(place[1])) == 1


def test_a_second_replay_at_the_same_time_is_refused(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place, opened(store_url) as other:
        deliver(place[0], day_lines)

        def second(_done: int) -> None:
            with pytest.raises(StoreError, match="another one is at work on this store"):
                replay(store_url, other)

        assert replay(store_url, place, second).position == 45


def test_a_replay_that_lost_its_lead_to_another_one_does_not_spoil_what_that_one_made(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place, opened(store_url) as other:
        deliver(place[0], day_lines)
        project(place)
        live = rows(place[1])

        def overtake(_done: int) -> None:
            lose_the_lead(other[1])
            replay(store_url, other)

        with pytest.raises(StoreUnavailableError):
            replay(store_url, place, overtake)
        assert generations(place[1]) == {LIVE: 3}
        assert rows(place[1]) == live
        assert findings(store_url, place) == []


def lose_the_lead(views: Views) -> None:
    """Let whoever leads seem to be dead: its lease is over, or its connection cut."""
    lose = {
        "sqlite": "UPDATE lease SET until = 0",
        "postgres": (
            "SELECT pg_terminate_backend(pid, 10000) "
            "FROM pg_locks JOIN pg_database ON oid = database "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        ),
    }
    with views.transaction(write=True) as connection:
        connection.run(lose[views.dialect])


@pytest.fixture
def old_version(store_url: str, day_lines: list[bytes]) -> str:
    with opened(store_url) as (tracker, views):
        deliver(tracker, day_lines)
        project((tracker, views))
        with views.transaction(write=True) as connection:
            connection.run("UPDATE projection SET view_version = :old", old=VIEW_VERSION - 1)
    return store_url


def test_views_of_another_version_say_that_a_replay_is_due_and_it_makes_them_new(
    old_version: str,
) -> None:
    with opened(old_version) as place:
        before = rows(place[1])
        with pytest.raises(SchemaError, match=r"expected version .* `dixa-state replay`"):
            place[1].progress()
        replay(old_version, place)
        assert place[1].progress().view_version == VIEW_VERSION
        assert rows(place[1]) == before


def test_no_question_is_answered_from_views_of_another_version(old_version: str) -> None:
    asked: list[Callable[[Reader], object]] = [
        Reader.position,
        lambda reader: reader.ask(Conversations()),
        lambda reader: reader.ask(Transitions()),
        lambda reader: reader.ask(SlaEvaluations()),
        lambda reader: reader.ask(Attainment()),
        lambda reader: reader.ask(Bans()),
        lambda reader: reader.ask(Stats()),
        lambda reader: reader.ask(Daily()),
        lambda reader: reader.ask(Search()),
        lambda reader: reader.ask(OneEndUser(id="per")),
        lambda reader: changed_conversations(reader, 0, 10),
    ]
    with opened(old_version) as (tracker, views):
        for ask in asked:
            with pytest.raises(SchemaError, match="`dixa-state"):
                ask(Reader(tracker, views))


def test_the_health_of_a_store_says_that_its_views_are_of_another_version(
    old_version: str,
) -> None:
    with opened(old_version) as (tracker, views):
        outdated = health(Reader(tracker, views)).outdated
    assert outdated
    assert "`dixa-state replay`" in outdated


def test_the_command_replays_views_of_another_version(
    old_version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "--store", old_version]) == 1
    assert "`dixa-state replay`" in capsys.readouterr().err
    assert run(["replay", "--store", old_version]) == 0
    assert run(["list", "--store", old_version]) == 0


def test_a_full_disk_stops_a_replay_in_one_line_and_the_views_stay(
    sqlite_url: str, day_lines: list[bytes]
) -> None:
    with opened(sqlite_url) as place:
        for bodies in days(day_lines, 10):
            deliver(place[0], bodies)
        project(place)
        live = rows(place[1])
        fill_the_disk(place[0], spare=90)
        with pytest.raises(StoreUnavailableError, match="full") as stopped:
            replay(sqlite_url, place)
        assert "\n" not in str(stopped.value)
        assert rows(place[1]) == live
        deliver(place[0], [day_lines[0]])
        project(place)
        assert len(rows(place[1])["conversations"]) == 21
    with opened(sqlite_url) as place:
        replay(sqlite_url, place)
        assert findings(sqlite_url, place) == []


def fill_the_disk(tracker: ConversationTracker, spare: int) -> None:
    """Let the store's file grow by no more than a few pages."""
    recorder = tracker.event_recorder
    assert isinstance(recorder, SqliteRecorder)
    with recorder.write_connection() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + spare}")


def test_readers_never_see_empty_or_mixed_views_during_a_replay(many_days: str) -> None:
    seen: set[tuple[int, ...]] = set()
    with opened(many_days) as place, opened(many_days) as reading:
        expected = counts(reading[1])
        done = threading.Event()

        def poll() -> None:
            while not done.is_set():
                seen.add(counts(reading[1]))

        reader = threading.Thread(target=poll)
        reader.start()
        try:
            replay(many_days, place)
        finally:
            done.set()
            reader.join()
    assert seen == {expected}


def test_a_reader_that_began_before_the_switch_sees_the_old_views_to_its_end(
    store_url: str, day_lines: list[bytes]
) -> None:
    switched = threading.Event()

    def rebuild() -> None:
        with opened(store_url) as place:
            replay(store_url, place)
        switched.set()

    with opened(store_url) as (tracker, views):
        deliver(tracker, day_lines)
        project((tracker, views))
        expected = counts(views)
        thread = threading.Thread(target=rebuild)
        with views.transaction() as connection:
            began = views.read_progress(connection)
            thread.start()
            until(lambda: switched.is_set() or waits_for_a_lock(tracker))
            assert connection.run(_COUNTS) == [expected]
            assert views.read_progress(connection) == began
        thread.join()
        assert switched.is_set()
        assert counts(views) == expected


def waits_for_a_lock(tracker: ConversationTracker) -> bool:
    if not isinstance(tracker.event_recorder, PostgresRecorder):
        return False  # on SQLite no writer waits for a reader
    with closing(tracker.event_recorder.connect()) as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        return connection.execute(waiting).fetchone() != (0,)


_COUNTS = (
    "SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM transitions),"
    " (SELECT count(*) FROM words)"
)


def counts(views: Views) -> tuple[int, ...]:
    with views.transaction() as connection:
        assert views.read_progress(connection)
        return tuple(connection.run(_COUNTS)[0])


def test_a_replay_killed_midway_leaves_the_old_views_and_the_next_one_cleans_up(
    many_days: str,
) -> None:
    with opened(many_days) as place:
        live = rows(place[1])
        with worker("rebuild", many_days) as process:
            assert process.stdout
            assert int(process.stdout.readline()) > 0
            process.kill()
            process.communicate(timeout=20)  # its own workers end too, and close its output
        assert rows(place[1]) == live
        assert BUILDING in generations(place[1])

        def again() -> bool:
            try:
                return replay(many_days, place).position > 0
            except StoreError:  # the lease of the dead lasts some seconds
                return False

        until(again)
        assert rows(place[1]) == live
        assert list(generations(place[1])) == [LIVE]
        assert len(tables(place[1])) == 1


def erase(url: str, *positions: int) -> None:
    """Erase events, as the maintenance of the schema lets one transaction do."""
    listed = ", ".join(map(str, positions))
    change = f"DELETE FROM stored_events WHERE notification_id IN ({listed})"  # noqa: S608
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("INSERT INTO maintenance VALUES ('erasure')")
            connection.execute(change)
            connection.execute("DELETE FROM maintenance")
            connection.commit()
    else:
        with psycopg.connect(url) as connection:
            connection.execute("SET LOCAL dixa_state.maintenance = 'on'")
            connection.execute(change.encode())


@pytest.mark.timeout(60)
def test_a_replay_ends_although_the_newest_events_were_erased(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        project(place)
        erase(store_url, 44, 45)
        assert replay(store_url, place).position == 45
        deliver(place[0], [line.replace(HOME, b"more") for line in day_lines[:2]])
        project(place)
        assert place[1].progress().position == 47


@pytest.mark.timeout(60)
def test_a_replay_ends_although_events_are_erased_that_the_live_views_have(
    store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come in and go while the new views are filled."""
    with opened(store_url) as place:
        deliver(place[0], day_lines[:20])
        project(place)
        fill = replaying._fill  # noqa: SLF001 — the moment that the story needs

        def fill_while_events_come_and_go(*arguments: Any) -> None:
            fill(*arguments)
            deliver(place[0], day_lines[20:])
            project(place)
            erase(store_url, 44, 45)

        monkeypatch.setattr(replaying, "_fill", fill_while_events_come_and_go)
        assert replay(store_url, place).position == 45
        assert place[1].progress().position == 45


@pytest.mark.timeout(60)
def test_readers_go_on_while_a_switch_waits_for_the_transaction_of_an_analyst(
    postgres_url: str, day_lines: list[bytes]
) -> None:
    with opened(postgres_url) as place, psycopg.connect(postgres_url) as analyst:
        deliver(place[0], day_lines)
        project(place)
        analyst.execute("SELECT count(*) FROM conversations")
        thread = Thread(target=replay, args=(postgres_url, place))
        thread.start()
        until(lambda: progress_of(place[1], BUILDING) is not None)
        reader = Reader(*place)
        slowest, began = 0.0, monotonic()
        while monotonic() - began < 6:
            asked = monotonic()
            assert reader.ask(Conversations()).items
            slowest = max(slowest, monotonic() - asked)
        assert place[1].progress().generation == 1
        assert thread.is_alive()
        analyst.rollback()
        thread.join(30)
        assert not thread.is_alive()
        assert place[1].progress().generation == 2
        assert slowest < 2
        assert findings(postgres_url, place) == []


def progress_of(views: Views, name: str) -> Progress | None:
    with views.transaction() as connection:
        return views.read_progress(connection, name)
