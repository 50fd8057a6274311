"""How store and views are: what was set aside, what cannot be folded, what is being made."""

from itertools import islice

from pydantic import Field

from dixa_state.questions.quarantine import QuarantinedBody, describe_body
from dixa_state.questions.question import Answer, Question, Time
from dixa_state.questions.reader import Reader
from dixa_state.questions.stats import Poison, read_poison
from dixa_state.views.generations import BUILDING
from dixa_state.views.tables import VIEW_VERSION

LISTED = 50
"""Items of each list that are shown."""


class Replaying(Answer):
    """A replay that is under way."""

    position: int = Field(description="The store position that it has reached.")
    target: int = Field(description="The position of the newest event.")


class OperationsReport(Answer):
    """How the store and its views are."""

    store_position: int = Field(description="The position of the newest event.")
    views_position: int = Field(description="The position that the views have reached.")
    views_version: int = Field(description="The version of the meaning of the views' rows.")
    generation: int = Field(description="The generation of the views; each replay makes one.")
    replaying: Replaying | None = Field(description="The replay that is under way, if one is.")
    verified_at: Time | None = Field(description="When `verify` last went through the store.")
    verified_findings: int = Field(description="The number of differences that it found.")
    poison: list[Poison] = Field(description="Events that could not be folded, the first ones.")
    poison_count: int = Field(description="How many of those there are.")
    quarantined: list[QuarantinedBody] = Field(description="Bodies in quarantine, the first ones.")
    quarantine_count: int = Field(description="How many of those there are.")


class Operations(Question[OperationsReport]):
    """Report how store and views are, and list what needs somebody."""

    def answer(self, reader: Reader) -> OperationsReport:
        """Return the report."""
        newest = reader.newest()
        set_aside = reader.tracker.quarantined()
        verified_at, findings = reader.views.verified()
        with reader.moment() as (connection, at):
            building = reader.views.read_progress(connection, BUILDING)
            count = connection.run(reader.views.statement("poison_count"))[0][0]
            poison = read_poison(connection, LISTED)
        return OperationsReport(
            store_position=newest,
            views_position=at.position,
            views_version=VIEW_VERSION,
            generation=at.generation,
            replaying=building and Replaying(position=building.position, target=newest),
            verified_at=verified_at,
            verified_findings=findings,
            poison=poison,
            poison_count=count,
            quarantined=[describe_body(item) for item in islice(set_aside, LISTED)],
            quarantine_count=len(set_aside),
        )
