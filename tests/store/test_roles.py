"""Roles on PostgreSQL: who may change history, who may add to it, and who only reads."""

from collections.abc import Callable
from functools import partial

import psycopg
import pytest

from dixa_state import PermissionDeniedError, open_tracker
from dixa_state.bootstrap import open_place, open_views
from dixa_state.questions import Conversations
from dixa_state.store.sql import roles
from dixa_state.views.projector import Projector
from dixa_state.views.replay import replay

UrlOf = Callable[[str], str]


@pytest.fixture
def url_of(postgres_url: str, day_lines: list[bytes]) -> UrlOf:
    """The URL of a store with some events for each of its roles; the owner has made its views."""
    with open_tracker(postgres_url) as tracker:
        open_views(tracker.event_recorder).close()
        tracker.append(day_lines[0])
        tracker.append("no JSON")
    with psycopg.connect(postgres_url) as connection:
        for _ in range(2):
            connection.execute(roles().encode())
    return lambda role: postgres_url.replace("postgres:@", f"dixa_state_{role}:@")


FORBIDDEN = [
    "UPDATE stored_events SET topic = 'x'",
    "DELETE FROM stored_events",
    "TRUNCATE stored_events",
    "UPDATE deduplication SET notification_id = 2",
    "DELETE FROM deduplication",
    "TRUNCATE deduplication",
    "UPDATE quarantine SET body = 'x'",
    "DELETE FROM quarantine",
    "DELETE FROM head",
    """INSERT INTO stored_events SELECT * FROM stored_events
    ON CONFLICT (notification_id) DO UPDATE SET topic = 'x'""",
    "ALTER TABLE stored_events DISABLE TRIGGER ALL",
    "DROP TRIGGER stored_events_refuse_change ON stored_events",
    """CREATE TRIGGER mine BEFORE INSERT ON stored_events
    FOR EACH ROW EXECUTE FUNCTION stored_events_refuse_change()""",
    """CREATE OR REPLACE FUNCTION stored_events_refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'""",
    "DROP FUNCTION append_events",
    "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE stored_events",
    "SET session_replication_role = 'replica'",
    "SET ROLE dixa_state_owner",
]


@pytest.mark.parametrize("role", ["writer", "reader"])
def test_neither_writer_nor_reader_can_change_history_or_let_themselves(
    url_of: UrlOf, role: str
) -> None:
    with psycopg.connect(url_of(role), autocommit=True) as connection:
        connection.execute("SET dixa_state.maintenance = 'on'")
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_the_writer_receives_and_projects_in_a_store_that_the_owner_has_made(
    url_of: UrlOf, day_lines: list[bytes]
) -> None:
    with open_tracker(url_of("writer")) as tracker:
        kinds = {outcome.kind for outcome in map(tracker.append, [*day_lines, "no JSON", "nor"])}
        [first, second] = tracker.quarantined()
        tracker.discard_quarantined([first.id])
        tracker.append("no JSON")
        views = open_views(tracker.event_recorder)
        assert Projector(tracker, views).catch_up()
        assert views.progress().position == 45
        views.close()
        assert [item.id for item in tracker.quarantined()] == [first.id, second.id]
    assert kinds == {"appended", "duplicate", "quarantined"}


def test_a_replay_is_the_owners_and_the_writer_goes_on_with_what_it_has_made(
    url_of: UrlOf, day_lines: list[bytes]
) -> None:
    for role, line in (("writer", day_lines[1]), ("owner", day_lines[2])):
        with open_tracker(url_of(role)) as tracker:
            tracker.append(line)
            views = open_views(tracker.event_recorder)
            if role == "writer":
                with pytest.raises(PermissionDeniedError, match="permission denied for schema"):
                    replay(tracker, views, partial(open_place, url_of(role)))
            else:
                assert replay(tracker, views, partial(open_place, url_of(role))).generation == 2
            views.close()
    with open_tracker(url_of("writer")) as tracker:
        tracker.append(day_lines[3])
        views = open_views(tracker.event_recorder)
        assert Projector(tracker, views).catch_up()
        assert views.progress().position == 4
        views.close()


def test_the_reader_asks_and_is_told_in_one_line_that_it_may_not_append(
    url_of: UrlOf, day_lines: list[bytes]
) -> None:
    url = url_of("reader")
    with open_tracker(url, create=False) as tracker:
        # The views are behind, and a reader cannot bring them up to date.
        assert tracker.ask(Conversations.model_validate({})).items == []
        assert tracker.conversation(70431).version == 1
        assert len(tracker.quarantined()) == 1
        with pytest.raises(PermissionDeniedError) as caught:
            tracker.append(day_lines[1])
    assert str(caught.value) == (
        "the database role of this store's URL lacks a right: permission denied for table head; "
        "`dixa-state schema --roles` shows the rights of each role"
    )
    with pytest.raises(PermissionDeniedError, match="the role dixa_state_reader may read this"):
        open_tracker(url)


def test_the_readers_see_what_a_replay_has_made(url_of: UrlOf) -> None:
    with open_tracker(url_of("owner")) as tracker:
        views = open_views(tracker.event_recorder)
        replay(tracker, views, partial(open_place, url_of("owner")))
        views.close()
    with psycopg.connect(url_of("reader")) as connection:
        assert connection.execute("SELECT csid FROM conversations").fetchall() == [(70431,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM v2_conversations")
