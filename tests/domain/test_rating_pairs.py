from story import ANNA, OMAR, after, at, wall

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Closed, Created, Rated, Reopened


def test_a_score_and_the_comment_on_it_are_one_rating() -> None:
    state = after(
        at("09:00", Rated(type="Csat", score=5, agent=ANNA)),
        at("09:01", Rated(type="Csat", score=5, comment="Quick!", agent=ANNA)),
    )
    (rating,) = state.ratings
    assert (rating.type, rating.score, rating.comment, rating.agent) == ("Csat", 5, "Quick!", ANNA)
    assert wall(rating.rated_at) == "09:00"


def test_a_comment_that_does_not_repeat_the_score_keeps_it() -> None:
    (rating,) = after(
        at("09:00", Rated(type="Csat", score=4)), at("09:01", Rated(type="Csat", comment="Fine"))
    ).ratings
    assert (rating.score, rating.comment, wall(rating.rated_at)) == (4, "Fine", "09:00")


def test_a_comment_may_come_first_and_the_rating_is_as_old_as_its_score() -> None:
    (rating,) = after(
        at("09:00", Rated(type="Csat", comment="Quick!")),
        at("09:01", Rated(type="Csat", score=5, agent=OMAR)),
    ).ratings
    assert (rating.score, rating.comment, rating.agent) == (5, "Quick!", OMAR)
    assert wall(rating.rated_at) == "09:01"


def test_a_comment_that_arrives_first_but_was_written_later_changes_nothing() -> None:
    score = at("09:00", Rated(type="Csat", score=5))
    comment = at("09:01", Rated(type="Csat", comment="Quick!"))
    assert after(comment, score).ratings == after(score, comment).ratings


def test_every_type_has_its_own_rating_in_order_of_first_mention() -> None:
    state = after(
        at("09:00", Rated(type="Nps", score=9)),
        at("09:01", Rated(type="Csat", score=2)),
        at("09:02", Rated(type="Csat", comment="Slow")),
        at("09:03", Rated(type="Nps", comment="Well")),
    )
    assert [(rating.type, rating.score, rating.comment) for rating in state.ratings] == [
        ("Nps", 9, "Well"),
        ("Csat", 2, "Slow"),
    ]


def test_a_new_score_is_a_new_time_of_rating() -> None:
    (rating,) = after(
        at("09:00", Rated(type="Csat", score=2)), at("10:00", Rated(type="Csat", score=5))
    ).ratings
    assert (rating.score, wall(rating.rated_at)) == (5, "10:00")


def test_a_score_of_zero_is_a_score() -> None:
    (rating,) = after(
        at("09:00", Rated(type="ThumbsUpOrDown", score=1)),
        at("10:00", Rated(type="ThumbsUpOrDown", score=0)),
    ).ratings
    assert rating.score == 0


def test_a_rating_that_says_nothing_is_kept_as_it_is() -> None:
    (rating,) = after(at("09:00", Rated())).ratings
    assert (rating.type, rating.score, rating.comment, rating.agent) == (None, None, None, None)


def test_another_score_leaves_the_comment_on_the_first_one_behind() -> None:
    ratings = after(
        at("09:00", Rated(type="Csat", score=5)),
        at("09:01", Rated(type="Csat", score=5, comment="great")),
        at("12:00", Rated(type="CSAT", score=1)),
    ).ratings
    assert [(rating.score, rating.comment) for rating in ratings] == [(1, None)]


def test_a_comment_without_a_type_is_on_the_latest_rating() -> None:
    ratings = after(
        at("09:00", Rated(type="Csat", score=5)), at("09:01", Rated(comment="great"))
    ).ratings
    assert [(rating.score, rating.comment) for rating in ratings] == [(5, "great")]


CLOSED = at("08:00", Created()), at("08:30", Closed())
FIRST = (
    at("09:00", Rated(type="Csat", score=5, agent=ANNA)),
    at("09:01", Rated(type="Csat", score=5, comment="Quick!", agent=ANNA)),
)
REOPENED = at("10:00", Reopened()), at("11:00", Closed())


def scores(state: Conversation) -> list[tuple[float | None, str | None, str | None]]:
    return [
        (rating.score, rating.comment, rating.agent.name if rating.agent else None)
        for rating in state.ratings
    ]


def test_after_a_reopening_a_new_rating_begins_and_the_earlier_one_stays_with_its_agent() -> None:
    second = at("12:00", Rated(type="Csat", score=1, agent=OMAR))
    state = after(*CLOSED, *FIRST, *REOPENED, second)
    assert scores(state) == [(5, "Quick!", "Anna"), (1, None, "Omar")]


def test_the_same_score_after_a_reopening_does_not_take_over_the_comment_of_the_other() -> None:
    second = at("12:00", Rated(type="Csat", score=5, agent=OMAR))
    slow = at("12:01", Rated(type="Csat", score=5, comment="Again!", agent=OMAR))
    assert scores(after(*CLOSED, *FIRST, *REOPENED, second))[1] == (5, None, "Omar")
    state = after(*CLOSED, *FIRST, *REOPENED, second, slow)
    assert scores(state) == [(5, "Quick!", "Anna"), (5, "Again!", "Omar")]


def test_a_comment_belongs_to_the_newest_rating_that_has_none() -> None:
    second = at("12:00", Rated(type="Csat", score=1, agent=OMAR))
    comment = at("12:01", Rated(type="Csat", comment="Slow"))
    state = after(*CLOSED, FIRST[0], *REOPENED, second, comment)
    assert scores(state) == [(5, None, "Anna"), (1, "Slow", "Omar")]
    earlier = at("12:02", Rated(type="Csat", comment="Quick after all"))
    state = after(*CLOSED, FIRST[0], *REOPENED, second, comment, earlier)
    assert scores(state) == [(5, "Quick after all", "Anna"), (1, "Slow", "Omar")]


def test_the_same_score_with_another_comment_is_another_rating() -> None:
    again = at("09:30", Rated(type="Csat", score=5, comment="Again!", agent=OMAR))
    state = after(*CLOSED, *FIRST, again)
    assert scores(state) == [(5, "Quick!", "Anna"), (5, "Again!", "Omar")]


def test_a_comment_begins_a_rating_where_every_one_has_a_comment() -> None:
    state = after(*CLOSED, *FIRST, at("09:30", Rated(type="Csat", comment="One more thing")))
    assert scores(state) == [(5, "Quick!", "Anna"), (None, "One more thing", None)]


def test_a_reopening_that_was_lost_begins_a_new_rating_too() -> None:
    state = after(
        *CLOSED, *FIRST, REOPENED[1], at("12:00", Rated(type="Csat", score=2, agent=OMAR))
    )
    assert scores(state) == [(5, "Quick!", "Anna"), (2, None, "Omar")]


def test_a_comment_that_comes_twice_is_one_comment() -> None:
    again = at("09:02", Rated(type="Csat", comment="Quick!"))
    assert scores(after(*CLOSED, *FIRST, again)) == [(5, "Quick!", "Anna")]
