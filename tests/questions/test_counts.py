"""Counts are those of the lists that they open, and of one moment, on each database."""

from collections import Counter
from statistics import median_low
from typing import Any

import pytest
from places import EIGHT, Place

from dixa_state.domain.lifecycle import RUNNING
from dixa_state.questions import (
    Conversations,
    Current,
    Missed,
    Operations,
    TransitionMatrix,
    Transitions,
)
from dixa_state.questions.current import Group
from dixa_state.simulate import Plan, bodies, pretty_json


@pytest.fixture(scope="module")
def desk(shared_place: Place) -> Place:
    """A small desk of which some webhooks are lost, and two bodies that are no events."""
    plan = Plan(conversations=60, days=0.5, seed=3, drop=0.1)
    webhooks = [pretty_json(one.body) for one in bodies(plan)]
    shared_place.receive([*webhooks, b"no JSON", b'{"no": "event"}'])
    return shared_place


@pytest.mark.parametrize("by", ["queue", "assignee", "channel"])
def test_what_runs_is_counted_as_the_lists_have_it(desk: Place, by: Group) -> None:
    def count(**filters: Any) -> int:
        return len(desk.whole(Conversations(**filters)))

    found = desk.reader.ask(Current(by=by))
    assert found.total.open == count(status=("open",)) > 0
    assert found.total.waiting == count(status=RUNNING, waiting=True)
    assert found.total.unassigned == count(status=("open",), assignee=("none",))
    assert found.missed == len(desk.whole(Missed())) > 0
    for one in found.groups:
        of = {by: (one.value or "none",)}
        assert one.open == count(status=("open",), **of)
        assert one.breached == count(status=RUNNING, sla=("breached",), **of)
    assert sum(one.pending for one in found.groups) == found.total.pending


def test_the_matrix_counts_transitions_and_their_median_time(desk: Place) -> None:
    listed = desk.whole(Transitions())
    counted = Counter((one.from_status, one.to_status) for one in listed)
    cells = desk.reader.ask(TransitionMatrix()).items
    assert {(one.from_status, one.to_status): one.count for one in cells} == counted
    pairs = [(one.from_status or "", one.to_status) for one in cells]
    assert pairs == sorted(pairs)
    for cell in cells:
        pair = (cell.from_status, cell.to_status)
        times = [m.seconds_in_previous for m in listed if (m.from_status, m.to_status) == pair]
        known = [time for time in times if time is not None]
        assert cell.median == (median_low(known) if known else None)
    assert desk.whole(Transitions(sort="-at")) == listed[::-1]


def test_operations_report_positions_and_what_needs_somebody(desk: Place) -> None:
    desk.views.set_verified(EIGHT, 3)
    found = desk.reader.ask(Operations())
    assert (found.verified_at, found.verified_findings) == (EIGHT, 3)
    assert found.store_position == found.views_position == desk.reader.newest()
    assert (found.quarantine_count, found.poison_count, found.replaying) == (2, 0, None)
    assert [one.body for one in found.quarantined] == ["no JSON", '{"no": "event"}']
