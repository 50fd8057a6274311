"""A query whose time is over ends, in the database and in the fold, and leaves nothing behind."""

from threading import Timer
from time import monotonic

import pytest

from dixa_state import open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.errors import QueryTimeoutError
from dixa_state.store.deadline import Deadline

ENDLESS = """
WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000000)
SELECT count(*) FROM n
"""


@pytest.mark.timeout(60)
def test_a_statement_ends_with_the_deadline_and_the_next_one_is_answered(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dixa_state.store.postgres.STATEMENT_TIMEOUT", 1)
    with open_tracker(store_url) as tracker:
        views = open_views(tracker.event_recorder)
        for _ in range(2):
            began = monotonic()
            with Deadline(1).applied():
                with pytest.raises(QueryTimeoutError, match="no answer within 1 s"):
                    views.select(ENDLESS)
                assert monotonic() - began < 10
            with Deadline(20).applied():
                assert views.select("SELECT 1") == [(1,)]
        assert tracker.event_recorder.count_events() == (0, 0)
        views.close()


@pytest.mark.timeout(60)
def test_a_transaction_that_reads_ends_with_the_deadline(store_url: str) -> None:
    with open_tracker(store_url) as tracker:
        views = open_views(tracker.event_recorder)
        began = monotonic()
        with (
            Deadline(1).applied(),
            pytest.raises(QueryTimeoutError),
            views.transaction() as connection,
        ):
            connection.run(ENDLESS)
        assert monotonic() - began < 10
        with views.transaction() as connection:
            assert connection.run("SELECT 1") == [(1,)]
        views.close()


@pytest.mark.timeout(60)
def test_a_query_that_nobody_waits_for_ends_in_the_middle_of_a_statement(sqlite_url: str) -> None:
    with open_tracker(sqlite_url) as tracker:
        views = open_views(tracker.event_recorder)
        deadline = Deadline(50)
        views.select("SELECT 1")
        Timer(0.5, deadline.cancel).start()
        with deadline.applied(), pytest.raises(QueryTimeoutError):
            views.select(ENDLESS)


def test_a_fold_ends_with_the_deadline(day_lines: list[bytes]) -> None:
    with open_tracker("memory:") as tracker:
        for line in day_lines:
            tracker.append(line)
        with Deadline(0).applied():
            with pytest.raises(QueryTimeoutError):
                tracker.conversation(70431)
            with pytest.raises(QueryTimeoutError):
                list(tracker.timeline(70431))
        assert tracker.conversation(70431).version
