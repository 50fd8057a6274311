"""Ratings: a score and the comment on it are two events of one rating."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Rated, User


class Rating(Struct, frozen=True):
    """What the customer thought, by type of rating; `rated_at` is when this score was given."""

    type: str | None
    score: float | None
    comment: str | None
    agent: User | None
    rated_at: datetime


def rate(ratings: tuple[Rating, ...], at: datetime, fact: Rated) -> tuple[Rating, ...]:
    """Enter a score, or a comment on the score of the same type given before."""
    for place, known in enumerate(ratings):
        if known.type == fact.type:
            return (*ratings[:place], _revised(known, at, fact), *ratings[place + 1 :])
    return (*ratings, Rating(fact.type, fact.score, fact.comment, fact.agent, at))


def _revised(known: Rating, at: datetime, fact: Rated) -> Rating:
    new_score = fact.score is not None and fact.score != known.score
    return replace(
        known,
        score=known.score if fact.score is None else fact.score,
        comment=known.comment if fact.comment is None else fact.comment,
        agent=fact.agent or known.agent,
        rated_at=at if new_score else known.rated_at,
    )
