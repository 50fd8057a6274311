import pytest
from lost_webhooks import measure


def test_where_nothing_was_lost_no_value_is_wrong_and_nothing_is_marked() -> None:
    report = measure(conversations=150, drop=0.0, seed=1)
    assert (report.wrong, report.marked_wrongly) == ([], [])


def test_whatever_is_lost_no_wrong_value_lacks_a_mark_unless_nothing_that_came_shows_the_loss() -> (
    None
):
    report = measure(conversations=250, drop=0.08, seed=2)
    assert report.lost > 100
    assert any(wrong.marked for wrong in report.wrong)
    assert [wrong for wrong in report.wrong if not wrong.marked and not wrong.hidden] == []
    assert report.unnoticed > 0
    assert (report.overlooked, report.marked_wrongly) == ([], [])


@pytest.mark.parametrize(
    "only", [["RATED"], ["MESSAGE_ADDED"], ["CREATED", "CLOSED"], ["CLOSED", "OPEN", "ASSIGNED"]]
)
def test_of_a_subscription_to_some_events_no_wrong_value_that_shows_lacks_a_mark(
    only: list[str],
) -> None:
    fqns = [f"CONVERSATION_{name}" for name in only]
    report = measure(conversations=100, drop=0.0, seed=4, only=fqns)
    assert report.lost > 100
    assert [wrong for wrong in report.wrong if not wrong.marked and not wrong.hidden] == []
