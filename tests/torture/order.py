"""Order: however webhooks come in, the state is the same, it is the truth, and so are the views."""

import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter

import click
import crowd
from cases import Case, case
from differential import Place, judge_pages, judge_views, project_all, project_some
from grounds import Grounds
from judging import (
    events_of,
    judge_arrival,
    judge_asked,
    judge_bytes,
    judge_outcomes,
    judge_truth,
    neutral,
    reference,
    require_same,
    state_of,
)
from orders import Sent, deliveries
from reports import Report, progress, with_report, with_seed
from worlds import Story

from dixa_state import ConversationTracker, Webhook, open_tracker
from dixa_state.domain.states import as_kept
from dixa_state.store.append import Outcome

_BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
_MOST_FINDINGS = 20


def run_case(grounds: Grounds, one: Case) -> int:
    """Try a case and give the number of its deliveries; raises what is wrong."""
    dice = one.dice
    batches = deliveries(one.stories, one.order, dice, _BEGIN)
    if one.backend == "temporary":
        with open_tracker("memory:") as tracker:
            return _in_temporary(grounds, one, tracker, batches, dice)
    return _in_database(grounds, one, batches, dice)


def _in_temporary(
    grounds: Grounds,
    one: Case,
    tracker: ConversationTracker,
    batches: list[list[Sent]],
    dice: Random,
) -> int:
    sent = [item for batch in batches for item in batch]
    outcomes = [o for batch in batches for o in tracker.append_many(_of(batch))]
    judge_outcomes(sent, outcomes)
    _judge(grounds, one, tracker, sent)
    for story in one.stories:
        judge_pages(tracker, story.stream, dice)
    _judge_moments(tracker, dice.choice(one.stories), dice)
    return len(sent)


def _in_database(grounds: Grounds, one: Case, batches: list[list[Sent]], dice: Random) -> int:
    place = tracker, _ = grounds.place(one.backend)
    if one.crowded:
        sent, outcomes = _crowded(grounds, one, batches, dice)
    else:
        sent, outcomes = _in_turn(place, batches, dice)
    judge_outcomes(sent, outcomes, in_turn=not one.crowded)
    project_all(place, dice)
    _judge(grounds, one, tracker, sent)
    judge_views(place, [story.stream for story in one.stories])
    for story in one.stories:
        judge_asked(tracker, story, state_of(tracker, story))
    return len(sent)


def _in_turn(
    place: Place, batches: list[list[Sent]], dice: Random
) -> tuple[list[Sent], list[Outcome]]:
    """Deliver batch by batch, and project a little in between."""
    outcomes: list[Outcome] = []
    for batch in batches:
        outcomes += place[0].append_many(_of(batch))
        if dice.random() < 0.3:
            project_some(place, dice)
    return [item for batch in batches for item in batch], outcomes


def _crowded(
    grounds: Grounds, one: Case, batches: list[list[Sent]], dice: Random
) -> tuple[list[Sent], list[Outcome]]:
    """Deliver from several processes at once, and project meanwhile."""
    place, url = grounds.place(one.backend), grounds.url(one.backend)
    shares: list[list[list[Sent]]] = [[] for _ in range(crowd.PROCESSES)]
    for batch in batches:
        dice.choice(shares).append(batch)
    asked = [[_of(batch) for batch in share] for share in shares]
    futures = crowd.sent(grounds.crowd, url, asked)
    while not all(future.done() for future in futures):
        project_some(place, dice)
    sent = [item for share in shares for batch in share for item in batch]
    return sent, [outcome for future in futures for outcome in future.result()]


def _judge(grounds: Grounds, one: Case, tracker: ConversationTracker, sent: Sequence[Sent]) -> None:
    for story in one.stories:
        state = state_of(tracker, story)
        require_same(f"the state of {story.stream}", grounds.reference(one, story), neutral(state))
        if one.truthful:
            judge_truth(story, state)
        judge_arrival(tracker, story, state)
        judge_bytes(tracker, story.stream, sent)


def _judge_moments(tracker: ConversationTracker, story: Story, dice: Random) -> None:
    """Ask how it was at a moment, and what was believed at one."""
    if story.kind != "conversation":
        return
    events = events_of(tracker, story.stream)
    at, known_at = dice.choice(events).at, dice.choice(events).received_at
    was = neutral(state_of(tracker, story, as_of=at))
    require_same(f"{story.stream} as of {at}", reference(story, as_of=at), was)
    first = sum(event.received_at <= known_at for event in events)
    stored = tracker.event_recorder.select_stream(story.stream)[:first]
    believed = tracker.fold(stored).state
    known = as_kept(state_of(tracker, story, known_at=known_at))
    require_same(f"{story.stream} known at {known_at}", believed, known)


def _of(batch: Sequence[Sent]) -> list[Webhook]:
    return [item.webhook for item in batch]


class Tally:
    """Counts what was tried, and keeps what was found."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.cases: Counter[str] = Counter()
        self.orders: Counter[str] = Counter()
        self.deliveries = 0
        self.seconds: Counter[str] = Counter()

    def try_case(self, grounds: Grounds, one: Case) -> None:
        """Try a case, whatever comes of it."""
        begun = perf_counter()
        try:
            self.deliveries += run_case(grounds, one)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is a finding
            self.findings.append(self._finding(one, error))
        where = f"{one.backend}, several processes" if one.crowded else one.backend
        self.cases[where] += 1
        self.orders[one.order] += 1
        self.seconds[where] += perf_counter() - begun

    def rows(self) -> list[dict[str, object]]:
        """Tell how much was tried where."""
        return [
            {"where": where, "cases": count, "ms a case": round(1e3 * self.seconds[where] / count)}
            for where, count in self.cases.most_common()
        ]

    def _finding(self, one: Case, error: Exception) -> str:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"case {one.number} ({one.backend}, {one.order}): {type(error).__name__}: {error} "
            f"[{Path(where.filename).name}:{where.lineno}]; "
            f"again: scripts/torture order --seed {one.seed} --only {one.number}"
        )


def torture(options: Mapping[str, int], cases: Iterable[Case], total: int, **urls: str) -> Report:
    """Try cases until too much is found, and check the databases in the end."""
    report, tally = Report("order", options), Tally()
    with Grounds(**urls) as grounds:
        begun = perf_counter()
        with progress("order", total) as done:
            for one in cases:
                tally.try_case(grounds, one)
                done(one.order)
                if len(tally.findings) >= _MOST_FINDINGS:
                    break
        spent = perf_counter() - begun
        report.findings += tally.findings or list(grounds.verify())
    report.rows += tally.rows()
    report.figures |= dict(_figures(tally, spent))
    return report


def _figures(tally: Tally, spent: float) -> Iterator[tuple[str, object]]:
    cases = tally.cases.total()
    yield "cases done", cases
    yield "deliveries", tally.deliveries
    yield "cases a second", round(cases / spent, 1)
    yield from ((f"order: {name}", count) for name, count in sorted(tally.orders.items()))


@click.command("order")
@click.option("--cases", type=click.IntRange(1), default=2_000, show_default=True, metavar="N")
@click.option("--first", type=click.IntRange(0), default=0, metavar="CASE", help="Begin there.")
@click.option("--only", type=click.IntRange(0), metavar="CASE", help="Try this one only.")
@with_seed
@with_report
def command(cases: int, first: int, only: int | None, seed: int, path: Path | None) -> None:
    """Deliver simulated histories in any order; the state must be the true one every time.

    A case is made from the seed and its number. Temporary stores, SQLite, PostgreSQL, one process
    or several; the views must be those that a fold from nothing makes.
    """
    numbers = range(first, first + cases) if only is None else range(only, only + 1)
    made = (case(seed, number) for number in numbers)
    options = {"cases": len(numbers), "first": numbers[0], "seed": seed}
    sys.exit(torture(options, made, len(numbers)).conclude(path))
