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
    assert report.marked_wrongly == []
