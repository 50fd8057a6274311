"""Names of queues, agents and tags: in any case, and refused where nothing ever had one."""

from typing import Any

import pytest
from places import Place

from dixa_state.cli.tables import sla_row, timeline_row
from dixa_state.errors import InvalidInputError, NotFoundError, UnknownNameError
from dixa_state.questions import (
    Attainment,
    Conversations,
    ConversationTransitions,
    Question,
    SlaEvaluations,
    Stats,
    Timeline,
    names,
)
from dixa_state.questions.naming import labelled, labels

KNOWN = [("queue", "Support"), ("assignee", "Omar Lind"), ("tag", "replacement")]


def found(place: Place, **given: str) -> list[int]:
    question = Conversations(**{name: (value,) for name, value in given.items()})
    return [state.csid for state in place.reader.every(question)]


@pytest.mark.parametrize(("name", "value"), KNOWN)
def test_a_name_is_found_in_any_case(day: Place, name: str, value: str) -> None:
    wanted = found(day, **{name: value})
    assert wanted
    for spelled in (value.lower(), value.upper()):
        assert found(day, **{name: spelled}) == wanted


@pytest.mark.parametrize("newest", [names.NEWEST, 1])
def test_a_name_that_was_in_use_once_is_known(
    day: Place, newest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "NEWEST", newest)  # however long ago that was
    assert found(day, assignee="Ida Holm") == found(day, assignee="ida holm") == []
    assert found(day, queue="none") == []


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Conversations(queue=("Suport",)), "queue: .* got 'Suport'; the nearest known: Support"),
        (Conversations(assignee=("Ida",)), "assignee: .* known assignee.*Ida Holm"),
        (Conversations(tag=("Support", "zzz")), "tag: .* 'Support'; nothing known is like it"),
        (SlaEvaluations(agent=("omar",)), "agent: .*: Omar Lind"),
        (Attainment(tag=("replacment",)), "tag: .*: replacement"),
        (Stats(organization="aurora"), "organization: .* 'aurora'; .*: Aurora Outdoor"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    day: Place, question: Question[Any], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message) as raised:
        day.reader.ask(question)
    assert isinstance(raised.value, NotFoundError)
    assert isinstance(raised.value, InvalidInputError)


def test_in_an_empty_store_no_name_is_known(place: Place) -> None:
    with pytest.raises(UnknownNameError, match="'Support'; none is known yet"):
        found(place, queue="Support")


def test_a_channel_is_shown_as_dixa_spelled_it_and_found_in_any_case(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive([line.replace(b'"WIDGET_CHAT"', b'"WidgetChat"') for line in day_lines])
    evaluations = list(place.reader.every(SlaEvaluations(channel=("widgetchat",))))
    conversations = list(place.reader.every(Conversations(channel=("WIDGETCHAT",))))
    assert evaluations
    assert conversations
    assert {found.channel for found in [*evaluations, *conversations]} == {"WidgetChat"}


OTHER = "f4abd5b2-0000-4000-8000-000000000001"


def test_queues_of_one_name_keep_their_keys_and_are_told_apart(
    place: Place, day_lines: list[bytes]
) -> None:
    support = b"043fd835-7533-533e-aa05-ea32d363e711"
    renamed = [line.replace(b'"csid":7043', b'"csid":8043') for line in day_lines]
    place.receive(day_lines)
    place.receive(
        [
            line.replace(support, OTHER.encode()).replace(b'"event_id":"', b'"event_id":"8')
            for line in renamed
        ]
    )
    stats, shares = place.reader.ask(Stats(by="queue")), place.reader.ask(Attainment(by="queue"))
    assert stats.labels[OTHER] == "Support (f4ab)"
    assert {group.value for group in stats.groups} >= {OTHER, support.decode()}
    assert "Support (f4ab)" in {share.label for share in shares.items}
    both = list(place.reader.every(SlaEvaluations(queue=("Support",))))
    assert {one.queue_id for one in both} == {OTHER, support.decode()}
    rows = map(sla_row, labelled(both))
    assert {row[-2] for row in rows} == {"Support (f4ab)", "Support (043f)"}
    [one] = place.reader.ask(Conversations(csid=80432)).items
    assert labelled(one) == one
    assert labelled(one, stats.labels).queue.name == "Support (f4ab)"


def test_agents_of_one_name_are_told_apart_in_timeline_and_audit(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive([line.replace(b"Omar Lind", b"Ida Holm") for line in day_lines])
    steps = labelled(list(place.reader.every(Timeline(csid=70431))))
    changes = " ".join(str(timeline_row(step)[-1]) for step in steps)
    moves = labelled(list(place.reader.every(ConversationTransitions(csid=70431))))
    holders = {move.holder.name for move in moves if move.holder}
    assert len(holders) == 2
    assert all(f"→ {holder}" in changes for holder in holders)
    assert {holder[:10] for holder in holders} == {"Ida Holm ("}


def test_ids_that_begin_alike_are_shown_as_far_as_they_differ() -> None:
    found = labels([("queue-2", "Support"), ("queue-1", "Support"), ("q", "Sales")])
    assert found == {"queue-1": "Support (queue-1)", "queue-2": "Support (queue-2)"}


def test_labels_have_an_order_of_their_own() -> None:
    ids = [f"queue-{number}" for number in range(9)]
    assert [*labels((one, "Support") for one in reversed(ids))] == ids
