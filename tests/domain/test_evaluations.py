from itertools import combinations

import pytest
from story import after, at, clock, named, wall

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event, SlaEvaluated, SlaEvaluationBegan, SlaStatus
from dixa_state.domain.sla import SlaEvaluation, summarise

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


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_is_verbatim_in_whatever_order_it_comes(status: SlaStatus) -> None:
    state = after(
        evaluation_at("08:00", "achieved", id="e1"), evaluation_at("09:00", status, id="e1")
    )
    assert state.sla[0].status == status


def test_a_repeat_leaves_the_status_as_old_as_it_was_and_stays_in_the_history() -> None:
    state = after(
        evaluation_at("08:00", "pending", id="e1"),
        evaluation_at("08:30", "pending", id="e1"),
        evaluation_at("09:00", "achieved", id="e1"),
    )
    assert wall(state.sla[0].since) == "09:00"
    assert course(state) == [[("pending", "08:00"), ("pending", "08:30"), ("achieved", "09:00")]]
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
