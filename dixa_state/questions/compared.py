"""What questions over a period share: their filters, the period before, and the moment of both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import Field

from dixa_state.questions.conditions import Condition
from dixa_state.questions.filters import in_capitals, of_conversation, one_of
from dixa_state.questions.periods import (
    Period,
    Span,
    When,
    Zone,
    read_period,
    read_span,
    read_zone,
)
from dixa_state.questions.question import (
    Agents,
    AsOf,
    KnownAt,
    Question,
    Queues,
    Tags,
    Texts,
    require_past,
)
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection

By = Literal["queue", "agent", "channel", "tag", "day", "hour"]


class OverPeriod(Question[Any]):
    """A question about what was in a period, for some queues, agents, channels and tags."""

    since: When | None = Field(None, description="Only from this time on.")
    until: When | None = Field(None, description="Only before this time.")
    queue: Queues = ()
    agent: Agents = ()
    channel: Texts = Field((), description="Such as EMAIL or WIDGET_CHAT, or `none`.")
    tag: Tags = ()
    time_zone: Zone = Field("UTC", description="Whose days and weeks, such as Europe/Copenhagen.")

    def period(self, now: datetime) -> Period:
        """Return the period."""
        return read_period(self.since, self.until, now, read_zone(self.time_zone))

    def of_whom(self, agent: str = "assignee") -> list[Condition]:
        """Return the conditions on organization, channel, queue and agent of a row.

        `agent` is what the columns of the agent begin with.
        """
        return [
            *of_conversation(self.organization),
            *one_of(("channel",), in_capitals(self.channel), or_none=True),
            *one_of(("queue_id", "queue_name"), self.queue, or_none=True),
            *one_of((f"{agent}_id", f"{agent}_name"), self.agent, or_none=True),
        ]


class Opened(NamedTuple):
    """What is read for an answer: its store position, its time, its period, and the one before."""

    connection: Connection
    position: int
    now: datetime
    period: Period
    earlier: Period | None


class Compared(OverPeriod):
    """A question about a period beside the same so much earlier, as of a moment."""

    by: By | None = Field(None, description="Break the numbers down by this.")
    compare: Span | None = Field(
        None, description="Compare with the same period so much earlier, such as -7d."
    )
    as_of: AsOf = None
    known_at: KnownAt = None

    @contextmanager
    def opened(self, reader: Reader) -> Iterator[Opened]:
        """Open the moment that both periods are read from."""
        now = reader.now()
        require_past(now, as_of=self.as_of, known_at=self.known_at)
        now = self.as_of or now
        period = self.period(now)
        earlier = period.shifted(read_span(self.compare), now) if self.compare else None
        with reader.moment(self.as_of, self.known_at) as (connection, at):
            yield Opened(connection, at.position, now, period, earlier)
