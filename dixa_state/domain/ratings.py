"""Ratings: a score and the comment on it are two events of one rating."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Rated, User


class Rating(Struct, frozen=True):
    """A score with its comment, by type of rating; `rated_at` is when this score was given."""

    type: str | None
    score: int | float | None
    comment: str | None
    agent: User | None
    rated_at: datetime


def add_rating(ratings: tuple[Rating, ...], at: datetime, fact: Rated) -> tuple[Rating, ...]:
    """Add a score, or a comment on the score of the same type given before."""
    index = _index(ratings, fact)
    if index is not None:
        return (*ratings[:index], _revised(ratings[index], at, fact), *ratings[index + 1 :])
    return (*ratings, Rating(fact.type, fact.score, fact.comment, fact.agent, at))


def _index(ratings: tuple[Rating, ...], fact: Rated) -> int | None:
    """Return the index of the rating of this type; a comment without a type is on the latest."""
    if fact.type is None and fact.score is None and ratings:
        return len(ratings) - 1
    wanted = (fact.type or "").casefold()
    types = [(known.type or "").casefold() for known in ratings]
    return types.index(wanted) if wanted in types else None


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
