from itertools import combinations

import pytest
from msgspec.structs import replace
from story import ANNA, LOGISTICS, OMAR, SUPPORT, after, at, clock, named, seen, wall

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import (
    Assigned,
    Created,
    Enqueued,
    Event,
    SlaEvaluated,
    SlaEvaluationBegan,
    SlaStatus,
    Snapshot,
    TagAdded,
    TransferredToAgent,
    Unassigned,
)
from dixa_state.domain.sla import Attribution, SlaEvaluation, summarise
from dixa_state.views.rows import rows
from dixa_state.views.tables import SlaEvaluationRow

STATUSES: tuple[SlaStatus, ...] = ("breached", "pending", "achieved", "voided")


def evaluation_at(time: str, status: SlaStatus, **evaluation: str) -> Event:
    return named(f"{status}@{time}", at(time, SlaEvaluated(status=status, **evaluation)))


def course(state: Conversation) -> list[list[tuple[str, str | None]]]:
    return [
        [(change.status, wall(change.at)) for change in evaluation.history]
        for evaluation in state.sla
    ]


def test_what_carries_the_same_id_is_one_evaluation() -> None:
    state = after(
        evaluation_at("08:00", "pending", id="e1", policy="Gold", metric="FirstResponse"),
        evaluation_at("09:00", "breached", id="e1"),
    )
    (evaluation,) = state.sla
    assert (evaluation.id, evaluation.policy, evaluation.metric) == ("e1", "Gold", "FirstResponse")
    assert evaluation.status == "breached"
    assert course(state) == [[("pending", "08:00"), ("breached", "09:00")]]
    assert [change.event_id for change in evaluation.history] == ["pending@08:00", "breached@09:00"]


def test_another_id_is_another_evaluation_of_the_same_policy() -> None:
    state = after(
        evaluation_at("08:00", "achieved", id="e1", policy="Gold", metric="NextResponse"),
        evaluation_at("09:00", "pending", id="e2", policy="Gold", metric="NextResponse"),
    )
    assert course(state) == [[("achieved", "08:00")], [("pending", "09:00")]]


def test_without_an_id_policy_and_metric_tell_evaluations_apart() -> None:
    state = after(
        evaluation_at("08:00", "pending", policy="Gold", metric="FirstResponse"),
        evaluation_at("08:01", "pending", policy="Gold", metric="Resolution"),
        evaluation_at("09:00", "achieved", policy="Gold", metric="FirstResponse"),
        evaluation_at("10:00", "voided", policy="Silver", metric="FirstResponse"),
    )
    assert [(item.policy, item.metric, item.status) for item in state.sla] == [
        ("Gold", "FirstResponse", "achieved"),
        ("Gold", "Resolution", "pending"),
        ("Silver", "FirstResponse", "voided"),
    ]


def test_an_evaluation_that_names_nothing_is_still_kept() -> None:
    state = after(evaluation_at("08:00", "pending"), evaluation_at("09:00", "breached"))
    assert course(state) == [[("pending", "08:00"), ("breached", "09:00")]]


def test_an_id_that_reads_like_a_policy_is_not_taken_for_one() -> None:
    state = after(
        evaluation_at("08:00", "pending", id="Gold"),
        evaluation_at("09:00", "pending", policy="Gold"),
    )
    assert len(state.sla) == 2


@pytest.mark.parametrize("status", ["breached", "achieved", "voided"])
def test_but_for_a_breach_the_newest_outcome_is_the_status(status: SlaStatus) -> None:
    state = after(
        evaluation_at("08:00", "achieved", id="e1"), evaluation_at("09:00", status, id="e1")
    )
    assert state.sla[0].status == status


def test_a_repeat_leaves_the_status_as_old_as_it_was_and_the_history_as_it_is() -> None:
    state = after(
        evaluation_at("08:00", "pending", id="e1"),
        evaluation_at("08:30", "pending", id="e1"),
        evaluation_at("09:00", "achieved", id="e1"),
    )
    assert wall(state.sla[0].since) == "09:00"
    assert course(state) == [[("pending", "08:00"), ("achieved", "09:00")]]
    assert wall(
        after(*[evaluation_at(f"08:{m}", "pending", id="e1") for m in ("00", "30")]).sla[0].since
    ) == ("08:00")


def test_the_deadline_is_the_newest_that_was_given() -> None:
    first, second = clock("08:30"), clock("08:45")
    state = after(
        at("08:00", SlaEvaluated(status="pending", id="e1", deadline=first)),
        at("08:10", SlaEvaluated(status="pending", id="e1", deadline=second)),
        at("09:00", SlaEvaluated(status="breached", id="e1")),
    )
    assert state.sla[0].deadline == second


def test_an_outcome_that_arrives_before_its_beginning_is_put_right() -> None:
    state = after(
        evaluation_at("09:00", "achieved", id="e1"), evaluation_at("08:00", "pending", id="e1")
    )
    assert state.sla[0].status == "achieved"
    assert course(state) == [[("pending", "08:00"), ("achieved", "09:00")]]


@pytest.mark.parametrize("named", [{"id": "e1"}, {"policy": "Gold", "metric": "NextResponse"}])
@pytest.mark.parametrize("later", ["achieved", "voided"])
def test_a_breach_sticks_and_a_later_outcome_is_recorded_with_its_time(
    later: SlaStatus, named: dict[str, str]
) -> None:
    state = after(
        evaluation_at("08:00", "pending", **named),
        evaluation_at("09:00", "breached", **named),
        evaluation_at("10:00", later, **named),
        evaluation_at("11:00", later, **named),
    )
    (evaluation,) = state.sla
    assert (evaluation.status, wall(evaluation.since)) == ("breached", "09:00")
    assert wall(evaluation.breached_late_at) == "10:00"
    assert course(state)[0][2] == (later, "10:00")
    assert summarise(state.sla) == "breached"


def test_a_breach_without_a_later_outcome_is_still_open() -> None:
    (evaluation,) = after(evaluation_at("09:00", "breached", id="e1")).sla
    assert evaluation.breached_late_at is None


@pytest.mark.parametrize("outcome", ["breached", "achieved", "voided"])
def test_without_an_id_pending_after_an_outcome_begins_a_new_evaluation(
    outcome: SlaStatus,
) -> None:
    state = after(
        evaluation_at("08:00", "pending", policy="Gold", metric="NextResponse"),
        evaluation_at("09:00", outcome, policy="Gold", metric="NextResponse"),
        evaluation_at("10:00", "pending", policy="Gold", metric="NextResponse"),
        evaluation_at("11:00", "achieved", policy="Gold", metric="NextResponse"),
    )
    assert course(state) == [
        [("pending", "08:00"), (outcome, "09:00")],
        [("pending", "10:00"), ("achieved", "11:00")],
    ]


@pytest.mark.parametrize("outcome", ["breached", "achieved", "voided"])
def test_with_an_id_pending_after_an_outcome_is_ignored(outcome: SlaStatus) -> None:
    state = after(
        evaluation_at("09:00", outcome, id="e1"), evaluation_at("10:00", "pending", id="e1")
    )
    assert course(state) == [[(outcome, "09:00")]]
    assert state.sla[0].status == outcome


def outcome_at(time: str, status: SlaStatus, **shows: object) -> Event:
    return replace(evaluation_at(time, status, id="e1"), snapshot=Snapshot(**shows))


@pytest.mark.parametrize("outcome", ["breached", "achieved", "voided"])
def test_an_outcome_counts_for_what_its_own_event_shows_whoever_has_it_later(
    outcome: SlaStatus,
) -> None:
    state = after(
        at("08:00", Assigned(agent=ANNA)),
        at("08:00", Enqueued(queue=SUPPORT)),
        evaluation_at("08:00", "pending", id="e1"),
        outcome_at(
            "09:00",
            outcome,
            assignee=ANNA,
            queue=SUPPORT,
            channel="EMAIL",
            tags=frozenset({"tent"}),
        ),
        at("10:00", TransferredToAgent(agent=OMAR)),
        at("10:00", Enqueued(queue=LOGISTICS)),
        seen("10:30", channel="SMS", tags=frozenset()),
    )
    assert (state.assignee, state.queue) == (OMAR, LOGISTICS)
    expected = Attribution(SUPPORT, ANNA, "EMAIL", frozenset({"tent"}))
    assert state.sla[0].attribution == expected


def test_an_outcome_believes_its_own_event_even_where_that_is_a_moment_stale() -> None:
    state = after(
        at("08:00", Created(), shows=Snapshot(assignee=None, queue=SUPPORT)),
        at("09:00", Assigned(agent=ANNA)),
        outcome_at("09:00:01", "breached", assignee=None, queue=SUPPORT),
    )
    assert state.assignee == ANNA
    assert state.sla[0].attribution == Attribution(SUPPORT, None, None, frozenset())


def test_what_the_event_of_an_outcome_does_not_show_is_what_was_known_then() -> None:
    state = after(
        at("08:00", Assigned(agent=ANNA)),
        at("08:00", Enqueued(queue=SUPPORT)),
        at("08:00", TagAdded(tag="tent")),
        evaluation_at("09:00", "breached", id="e1"),
        at("10:00", Unassigned(agent=ANNA)),
    )
    expected = Attribution(SUPPORT, ANNA, None, frozenset({"tent"}))
    assert state.sla[0].attribution == expected


def test_after_a_breach_that_sticks_it_counts_for_the_event_of_the_breach() -> None:
    state = after(
        outcome_at("09:00", "breached", assignee=ANNA),
        outcome_at("10:00", "achieved", assignee=OMAR),
    )
    attribution = state.sla[0].attribution
    assert attribution is not None
    assert attribution.assignee == ANNA


def test_what_is_pending_counts_for_who_has_the_conversation_now() -> None:
    state = after(
        at("08:00", Assigned(agent=ANNA)),
        evaluation_at("08:00", "pending", id="e1"),
        at("10:00", TransferredToAgent(agent=OMAR)),
    )
    assert state.sla[0].attribution is None
    (row,) = (row for row in rows("conversation/1/1", state) if isinstance(row, SlaEvaluationRow))
    assert row.assignee_id == "omar"


def with_statuses(*statuses: SlaStatus) -> list[SlaEvaluation]:
    state = after(*(evaluation_at("08:00", status, id=status) for status in statuses))
    return list(state.sla)


def test_a_conversation_without_evaluations_has_no_sla_status() -> None:
    assert summarise(()) == "none"


@pytest.mark.parametrize("status", STATUSES)
def test_one_evaluation_is_the_sla_status(status: SlaStatus) -> None:
    assert summarise(with_statuses(status)) == status


@pytest.mark.parametrize(("worse", "better"), list(combinations(STATUSES, 2)))
def test_of_two_evaluations_the_worse_is_the_sla_status(
    worse: SlaStatus, better: SlaStatus
) -> None:
    assert summarise(with_statuses(better, worse)) == worse
    assert summarise(with_statuses(worse, better)) == worse


def test_of_all_evaluations_breached_is_the_worst() -> None:
    assert summarise(with_statuses(*STATUSES)) == "breached"


def test_an_evaluation_that_began_and_ended_in_one_instant_has_ended() -> None:
    began = at("08:00", SlaEvaluationBegan(status="pending", id="sla"))
    ended = at("08:00", SlaEvaluated(status="achieved", id="sla"))
    assert [item.status for item in after(ended, began).sla] == ["achieved"]
    assert [item.status for item in after(began, ended).sla] == ["achieved"]
