"""SLA evaluations, and the shares of them that were kept."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from dixa_state.domain.events import SlaStatus
from dixa_state.questions.compared import By, Compared, OverPeriod
from dixa_state.questions.conditions import (
    AllOf,
    AnyOf,
    Between,
    Condition,
    HasValue,
    NotEnded,
    OneOf,
    SlaTagged,
    select,
)
from dixa_state.questions.filters import between, of_conversation, one_of, tagged
from dixa_state.questions.measures import group_in_time
from dixa_state.questions.names import known_pairs
from dixa_state.questions.naming import Known, distinct_values, labels
from dixa_state.questions.paging import Item, Listing
from dixa_state.questions.periods import Period, When, read_zone
from dixa_state.questions.question import (
    MAX_VALUES,
    NONE,
    Answer,
    Csid,
    Moment,
    OfConversation,
    Page,
    PagedQuestion,
    Time,
)
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection
from dixa_state.views.tables import EPOCH, from_micros, micros

DerivedState = Literal["due_soon", "overdue", "breached_open", "breached_late"]
SlaState = Literal[SlaStatus, DerivedState]
DERIVED: tuple[DerivedState, ...] = get_args(DerivedState)

SOON = timedelta(hours=1)
STATES = (
    "The status; or `due_soon`: pending, with a deadline within the next hour; `overdue`: pending "
    "after its deadline; `breached_open`: breached, without an outcome since, of a conversation "
    "that has not ended; `breached_late`: breached, and achieved or voided later."
)


class SlaEvaluation(OfConversation):
    """An SLA evaluation in a list over all conversations."""

    id: str | None = Field(description="Dixa's id of the evaluation, where it sends one.")
    policy: str | None = Field(description="The SLA policy.")
    metric: str | None = Field(description="What is measured, for example FirstResponse.")
    status: SlaStatus = Field(description="The status of the evaluation.")
    deadline: Time | None = Field(description="When the evaluation is breached.")
    since: Time | None = Field(description="Since when it has this status.")
    began_at: Time | None = Field(description="When the first webhook about it was sent.")
    breached_late_at: Time | None = Field(description="When an outcome followed its breach.")
    channel: str | None = Field(description="The channel that it is counted for.")
    queue: str | None = Field(description="The queue that it is counted for, by name or id.")
    queue_id: str | None = Field(description="The id of that queue.")
    agent: str | None = Field(description="The agent that it is counted for, by name or id.")
    agent_id: str | None = Field(description="The id of that agent.")


class SlaAttainment(Answer):
    """The share of SLAs kept for one value of what they are broken down by."""

    by: By | None = Field(description="What the shares are broken down by.")
    value: str | None = Field(description="The value; it filters the list of the same rows.")
    label: str | None = Field(
        description="The value, with a part of its id where another has its name."
    )
    achieved: int = Field(description="Evaluations achieved.")
    breached: int = Field(description="Evaluations breached.")
    pending: int = Field(description="Evaluations without an outcome.")
    voided: int = Field(description="Evaluations that no longer apply.")
    attainment: float | None = Field(description="achieved / (achieved + breached).")
    attainment_before: float | None = Field(
        description="The same of the period that it is compared with."
    )


class _Filtered(OverPeriod):
    """The filters on SLA evaluations.

    Queue, agent, channel and tags of an evaluation are those at its outcome; while it is pending,
    those of the conversation now.
    """

    status: Annotated[tuple[SlaState, ...], Field(max_length=MAX_VALUES, description=STATES)] = ()
    due_before: Moment | None = Field(None, description="Only with a deadline before this time.")
    csid: Csid | None = Field(None, description="Only of the conversation of this number.")
    since: When | None = Field(None, description="Only with their status from this time on.")
    until: When | None = Field(None, description="Only with their status before this time.")

    def conditions(self, now: int, period: Period | None = None) -> list[Condition]:
        """Return the conditions on the table of SLA evaluations, the coarse ones first.

        `now` is in microseconds.
        """
        during = period or self.period(EPOCH + timedelta(microseconds=now))
        return [
            *of_conversation(None, self.csid),
            *between("since", "since", *during),
            *in_states(self.status, now),
            *between("due_before", "deadline", None, self.due_before),
            *self.of_whom(),
            *tagged(self.tag, SlaTagged),
        ]


class SlaEvaluations(_Filtered, PagedQuestion[SlaEvaluation]):
    """List SLA evaluations, in the order in which they began.

    Each counts for the queue, agent, channel and tags at its outcome, whoever has the conversation
    today; while it is pending, for those of the conversation now.
    """

    def answer(self, reader: Reader) -> Page[SlaEvaluation]:
        """Return a page of the list."""
        columns = ("began_at", "stream", "number")
        listing = Listing("sla_evaluations", columns, ())
        return listing.page(reader, self, self.conditions).mapped(_evaluation)


class Attainment(_Filtered, Compared):
    """Return the shares of SLAs that were kept; each count is that of the list with its value.

    An outcome counts for the queue, agent, channel and tags of its own event. By tag, an evaluation
    counts for each of its tags.
    """

    def answer(self, reader: Reader) -> Page[SlaAttainment]:
        """Return the shares, all on one page."""
        with self.opened(reader) as (connection, position, now, period, earlier):
            shares = self._shares(connection, now, period)
            before = self._shares(connection, now, earlier) if earlier else {}
            shown = labels(known_pairs(connection, self.by))
        ordered = sorted({*shares, *before}, key=lambda value: (value is None, value))
        items = [
            SlaAttainment(
                by=self.by,
                value=value,
                label=shown.get(value or "", value),
                **_share(shares.get(value, Counter())),
                attainment_before=_attainment(before.get(value, Counter())),
            )
            for value in ordered
        ]
        return Page(items, None, position)

    def _shares(
        self, connection: Connection, now: datetime, period: Period
    ) -> dict[str | None, Counter[str]]:
        sql = (
            f"SELECT {_COLUMNS[self.by]}, t.status, count(*) FROM sla_evaluations AS t "  # noqa: S608
            f"{_TAGS if self.by == 'tag' else ''} WHERE {{where}} GROUP BY 1, 2, 3"
        )
        found = select(connection, sql, self.conditions(micros(now), period))
        if self.by == "tag" and self.tag:
            found = [row for row in found if (row[0] or NONE) in self.tag]
        values = self._values({row[:2] for row in found})
        shares: dict[str | None, Counter[str]] = defaultdict(Counter)
        for key, name, status, count in found:
            shares[values[key, name]][status] += count
        return shares

    def _values(self, known: set[Known]) -> dict[Known, str | None]:
        """Return the value that each pair of columns stands for."""
        if self.by in ("day", "hour"):
            zone = read_zone(self.time_zone)
            return {pair: group_in_time(int(pair[0] or 0), self.by, zone) for pair in known}
        return distinct_values(known)


def _share(counts: Counter[str]) -> dict[str, Any]:
    outcomes = {status: counts[status] for status in get_args(SlaStatus)}
    return {**outcomes, "attainment": _attainment(counts)}


def _attainment(counts: Counter[str]) -> float | None:
    decided = counts["achieved"] + counts["breached"]
    return counts["achieved"] / decided if decided else None


_COLUMNS: dict[By | None, str] = {
    None: "NULL, NULL",
    "day": "t.since, NULL",
    "hour": "t.since, NULL",
    "queue": "t.queue_id, t.queue_name",
    "agent": "t.assignee_id, t.assignee_name",
    "channel": "t.channel, t.channel",
    "tag": "counted.tag, counted.tag",
}
_TAGS = "LEFT JOIN sla_tags AS counted ON counted.stream = t.stream AND counted.number = t.number"


def in_states(states: tuple[str, ...], now: int) -> list[Condition]:
    """Return the conditions that an evaluation is in one of these states, at this time."""
    ways = [_derived(state, now) for state in states if state in DERIVED]
    if plain := tuple(state for state in states if state not in DERIVED):
        ways.append(one_of(("status",), plain))
    if len(ways) <= 1:
        return ways[0] if ways else []
    return [AnyOf(tuple(AllOf(tuple(way)) for way in ways))]


def _derived(state: str, now: int) -> list[Condition]:
    pending, breached = (OneOf(("status",), (one,)) for one in ("pending", "breached"))
    return {
        "due_soon": [pending, Between("deadline", now, now + SOON // timedelta(microseconds=1))],
        "overdue": [pending, Between("deadline", None, now)],
        "breached_open": [breached, HasValue("breached_late_at", wanted=False), NotEnded()],
        "breached_late": [breached, HasValue("breached_late_at")],
    }[state]


def _evaluation(item: Item) -> SlaEvaluation:
    row = item.row
    return SlaEvaluation(
        organization_id=row.organization_id,
        csid=row.csid,
        id=row.evaluation_id,
        policy=row.policy,
        metric=row.metric,
        status=row.status,
        deadline=from_micros(row.deadline),
        since=from_micros(row.since),
        began_at=from_micros(row.began_at),
        breached_late_at=from_micros(row.breached_late_at),
        channel=row.channel_name,
        queue=row.queue_name or row.queue_id,
        queue_id=row.queue_id,
        agent=row.assignee_name or row.assignee_id,
        agent_id=row.assignee_id,
    )
