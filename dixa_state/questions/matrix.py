"""Transitions by where from and where to: how many, and how long the status before lasted."""

from pydantic import Field

from dixa_state.domain.lifecycle import Status
from dixa_state.questions.conditions import Parameters, where
from dixa_state.questions.question import Answer, Page
from dixa_state.questions.reader import Reader
from dixa_state.questions.transitions import TransitionFilters


class TransitionCount(Answer):
    """The transitions from one status to another; the list with the same filters has as many."""

    from_status: Status | None = Field(alias="from", description="The status before; null first.")
    to_status: Status = Field(alias="to", description="The status after.")
    count: int = Field(description="How many there were.")
    median: float | None = Field(description="Median seconds in the status before.")


class TransitionMatrix(TransitionFilters):
    """Count lifecycle transitions by where from and where to, with the median time before them."""

    def answer(self, reader: Reader) -> Page[TransitionCount]:
        """Return the counts, all on one page."""
        parameters = Parameters()
        sql = _MATRIX.format(of=where(self.conditions(), parameters))
        with reader.moment() as (connection, at):
            found = connection.run(sql, **parameters.values)
        counted = [
            TransitionCount(from_status=before, to_status=after, count=count, median=_round(median))
            for before, after, count, median in found
        ]
        return Page(counted, None, at.position)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else float(seconds)


# The median by nearest rank, as of all durations; both databases divide whole numbers alike.
_MATRIX = """
SELECT before, after, many, seconds FROM (
    SELECT t.before, t.after, (t.since - earlier.since) / 1000000.0 AS seconds,
        count(*) OVER (PARTITION BY t.before, t.after) AS many,
        row_number() OVER (
            PARTITION BY t.before, t.after ORDER BY t.since - earlier.since
        ) AS place
    FROM transitions AS t
    LEFT JOIN transitions AS earlier
        ON earlier.stream = t.stream AND earlier.sequence = t.sequence - 1
    WHERE {of}
) AS ranked WHERE place = (many + 1) / 2 ORDER BY before, after
"""
