"""The views as a place: columns, position, the lead, and how soon a reader is woken."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic

import pytest
from eventsourcing.persistence import IntegrityError, Tracking, WaitInterruptedError
from projections import ROW_TYPES, Place, deliver, opened, project, worker

from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector

COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(:table) ORDER BY cid",
    "postgres": (
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = :table ORDER BY ordinal_position"
    ),
}


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with opened(store_url) as place:
        yield place


def test_the_row_types_have_the_columns_of_the_tables_in_their_order(place: Place) -> None:
    sql = COLUMNS[place[1].dialect]
    with place[1].transaction() as connection:
        for table, row_type in ROW_TYPES.items():
            for name in (table, f"v1_{table}"):
                found = connection.run(sql, table=name)
                assert tuple(column for (column,) in found) == row_type._fields


def test_there_is_no_table_without_a_row_type(place: Place) -> None:
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    }
    with place[1].transaction() as connection:
        names = {name for (name,) in connection.run(catalog[place[1].dialect])}
    assert {name for name in names if name.startswith("v1_")} == {f"v1_{t}" for t in ROW_TYPES}


# The library's own test case for tracking gives each application a position of its own; the views
# follow one event store and have one position, whatever the application is called.


def test_the_position_of_the_views_is_told_as_the_library_asks_for_it(place: Place) -> None:
    views = place[1]
    assert views.max_tracking_id("dixa") is None
    assert views.has_tracking_id("dixa", None)
    views.insert_tracking(Tracking("dixa", 21))
    assert views.max_tracking_id("dixa") == 21
    assert [views.has_tracking_id("dixa", position) for position in (20, 21, 22)] == [
        True,
        True,
        False,
    ]
    assert views.progress().position == 21


def test_a_position_is_never_reached_twice_nor_filled_in_later(place: Place) -> None:
    views = place[1]
    views.insert_tracking(Tracking("dixa", 21))
    views.insert_tracking(Tracking("dixa", 24))
    for position in (21, 23, 24):
        with pytest.raises(IntegrityError, match=f"position {position} was reached before"):
            views.insert_tracking(Tracking("dixa", position))
    assert views.max_tracking_id("dixa") == 24


def test_the_library_can_wait_for_a_position(place: Place) -> None:
    views = place[1]
    views.wait("dixa", None)
    with pytest.raises(TimeoutError):
        views.wait("dixa", 21, timeout=0.1)
    views.insert_tracking(Tracking("dixa", 21))
    views.wait("dixa", 21)
    interrupt = Event()
    interrupt.set()
    with pytest.raises(WaitInterruptedError):
        views.wait("dixa", 22, interrupt=interrupt)


def test_a_role_is_held_by_one_and_free_again_afterwards(store_url: str, place: Place) -> None:
    with opened(store_url) as other:
        with place[1].leading("projector") as lead, other[1].leading("projector") as second:
            assert lead is not None
            assert second is None
            lead.keep()
            with other[1].leading("replay") as another_role:
                assert another_role is not None
        with other[1].leading("projector") as second:
            assert second is not None


def test_who_waits_for_a_role_gets_it_when_it_is_free(store_url: str, place: Place) -> None:
    got = Event()

    def wait() -> None:
        with opened(store_url) as (_, views), views.leading("replay", wait=True) as lead:
            assert lead is not None
            got.set()

    thread = Thread(target=wait)
    with place[1].leading("replay"):
        thread.start()
        assert not got.wait(0.3)
    assert got.wait(5)
    thread.join()


def woken(views: Views, position: int, timeout: float = 10) -> float:
    """Wait for a position as a reader does, and tell how long that took."""
    began = monotonic()
    while views.progress().position < position:
        assert monotonic() - began < timeout
        views.changed(timeout)
    return monotonic() - began


def test_a_reader_is_woken_long_before_its_timeout_when_a_thread_projects(
    place: Place, day_lines: list[bytes]
) -> None:
    deliver(place[0], day_lines)
    took: list[float] = []
    reader = Thread(target=lambda: took.append(woken(place[1], 45)))
    reader.start()
    project(place, batch_size=5)
    reader.join()
    assert took[0] < 5


def test_a_reader_is_woken_long_before_its_timeout_when_another_process_projects(
    store_url: str, place: Place, day_lines: list[bytes]
) -> None:
    with worker("project", store_url) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for end in range(15, 46, 15):
            deliver(place[0], day_lines[end - 15 : end])
            assert woken(place[1], end) < 5


def test_many_readers_of_one_process_are_all_woken_at_once(
    store_url: str, place: Place, day_lines: list[bytes]
) -> None:
    """A web server's requests and its projector share one object."""
    stop = Event()
    took: list[float] = []
    projector = Thread(target=Projector(*place).run, args=[stop])
    readers = [Thread(target=lambda: took.append(woken(place[1], 45))) for _ in range(4)]
    for thread in (projector, *readers):
        thread.start()
    with opened(store_url) as other:
        deliver(other[0], day_lines)
    for reader in readers:
        reader.join()
    stop.set()
    projector.join()
    assert len(took) == 4
    assert max(took) < 2


def test_waiting_for_a_change_that_does_not_come_ends_at_the_timeout(place: Place) -> None:
    place[1].changed(0.1)  # the first call on PostgreSQL only begins to listen
    began = monotonic()
    place[1].changed(0.2)
    assert monotonic() - began < 2
