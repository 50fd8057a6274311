"""Ratings: a score and the comment on it are two events of one rating."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Rated, User


class Rating(Struct, gc=False, frozen=True):
    """A score with its comment, by type of rating; `rated_at` is when this score was given.

    `reopens` is how often the conversation had been reopened before: the next reopening begins a
    new rating.
    """

    type: str | None
    score: int | float | None
    comment: str | None
    agent: User | None
    rated_at: datetime
    reopens: int = 0


def add_rating(
    ratings: tuple[Rating, ...], at: datetime, fact: Rated, reopens: int
) -> tuple[Rating, ...]:
    """Add a score, or the comment on one, to the rating that it belongs to, or begin one."""
    for index in range(len(ratings) - 1, -1, -1):
        known = ratings[index]
        if _is_same_type(known, fact) and _belongs(known, fact, reopens):
            return (*ratings[:index], _revised(known, at, fact), *ratings[index + 1 :])
        if fact.score is not None and known.reopens != reopens:
            break
    return (*ratings, Rating(fact.type, fact.score, fact.comment, fact.agent, at, reopens))


def _is_same_type(known: Rating, fact: Rated) -> bool:
    """Compare the types; a comment without a type may belong to any."""
    if fact.type is None and fact.score is None:
        return True
    return (known.type or "").casefold() == (fact.type or "").casefold()


def _belongs(known: Rating, fact: Rated, reopens: int) -> bool:
    """Return whether an event is about this rating.

    A comment alone belongs to the newest rating that has none. A score is about the rating of this
    ending, unless it brings another comment on the same score.
    """
    if fact.score is None and fact.comment is not None:
        return known.comment in (None, fact.comment)
    if known.reopens != reopens:
        return False
    other_comment = None not in (fact.comment, known.comment) and fact.comment != known.comment
    return not other_comment or fact.score != known.score


def _revised(known: Rating, at: datetime, fact: Rated) -> Rating:
    new_score = fact.score is not None and known.score is not None and fact.score != known.score
    first_score = fact.score is not None and known.score is None
    return replace(
        known,
        score=known.score if fact.score is None else fact.score,
        comment=fact.comment if new_score or fact.comment is not None else known.comment,
        agent=fact.agent or known.agent,
        rated_at=at if new_score or first_score else known.rated_at,
    )
