"""What lost webhooks do to each answer: its share of wrong values, and of those without a mark.

    python tests/simulate/lost_webhooks.py --conversations 3000 --drop 0.08 --seeds 10

Every webhook of the simulator may be lost, of whatever kind. Each conversation is then folded from
what is left, and compared with the truth, field by field. A wrong value is marked where the answer
says that something was missed (`counts.missed`), that the history starts midlife, or that this
value is only an upper bound. It is hidden where nothing that came shows the loss.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from dixa_state.dixa.body import identify, read_event
from dixa_state.domain.conversation import initial
from dixa_state.domain.events import Event
from dixa_state.domain.fold import evolve
from dixa_state.domain.timestamps import parse_time
from dixa_state.questions import describe
from dixa_state.simulate import Plan, bodies, pretty_json

Document = dict[str, Any]

TOLERANCE = 1.0
"""Seconds that a duration may differ by: a creation and its first message are that close."""
GRACE = 10.0
"""Seconds within which a snapshot may be stale, and several webhooks report one action."""

_SINGLE = (
    *("status", "status_since", "requester", "assignee", "assigned_at", "queue", "enqueued_at"),
    *("tags", "custom_attributes", "sla_status", "sla", "ratings"),
)
_COUNTED = ("reopens", "transfers", "assignments", "messages_inbound", "messages_outbound", "notes")
_STATUS, _ASSIGNEE, _QUEUE, _TAGS = {"status"}, {"assignee"}, {"queue"}, {"tags"}
_ABOUT = {
    "CREATED": _STATUS,
    "OPEN": _STATUS,
    "PENDING": _STATUS,
    "PENDING_EXPIRED": _STATUS,
    "CLOSED": _STATUS,
    "ABANDONED": _STATUS | _QUEUE,
    "ENQUEUED": _QUEUE,
    "ASSIGNED": _ASSIGNEE,
    "UNASSIGNED": _ASSIGNEE,
    "TRANSFERRED": _ASSIGNEE | _QUEUE,
    "TAG_ADDED": _TAGS,
    "TAG_REMOVED": _TAGS,
    "END_USER_REPLACED": {"requester"},
}


class Wrong(NamedTuple):
    """A value of a conversation that is not the true one."""

    csid: int
    field: str
    expected: Any
    got: Any
    marked: bool
    hidden: bool


class Report(NamedTuple):
    """How many conversations were asked about, and what was wrong in their answers.

    `lost_status` are those that lost a webhook about the status, other than that of the creation,
    which every later body makes up for and which a subscription may leave out. `unnoticed` are
    those of them without a mark, `overlooked` those of these where something that came shows a
    loss; `marked_wrongly` are conversations that lost nothing and have a mark.
    """

    conversations: int
    lost: int
    lost_status: int
    unnoticed: int
    overlooked: list[int]
    marked_wrongly: list[int]
    wrong: list[Wrong]

    def lines(self) -> Iterator[str]:
        """Yield a table: each field's share of wrong values, and of those without a mark."""
        yield f"{self.conversations} conversations lost {self.lost} webhooks;"
        yield f"{self.lost_status} lost one about the status, {self.unnoticed} of them unnoticed,"
        yield f"{len(self.overlooked)} although something that came shows it"
        wrong, unmarked, shown = Counter[str](), Counter[str](), Counter[str]()
        for one in self.wrong:
            wrong[one.field] += 1
            unmarked[one.field] += not one.marked
            shown[one.field] += not one.marked and not one.hidden
        yield f"{'field':32} {'wrong':>8} {'unmarked':>9} {'and shown':>10}"
        for field, count in sorted(wrong.items(), key=lambda item: -item[1]):
            shares = (n / self.conversations for n in (count, unmarked[field], shown[field]))
            yield "{:32} {:>8.2%} {:>9.2%} {:>10.2%}".format(field, *shares)


def measure(*, conversations: int, drop: float, seed: int, only: Collection[str] = ()) -> Report:
    """Simulate, lose webhooks by chance, fold what is left, and compare it with the truth."""
    truths: list[Document] = []
    came: dict[str, list[tuple[Event, Document]]] = defaultdict(list)
    plan = Plan(conversations=conversations, seed=seed, days=14, drop=drop, only=only)
    for position, (received_at, document) in enumerate(bodies(plan, truths.append), start=1):
        body = pretty_json(document)
        identity = identify(body)
        events = came[identity.stream]
        event = read_event(
            body,
            topic=identity.topic,
            received_at=received_at,
            version=len(events) + 1,
            position=position,
        )
        events.append((event, document))
    report = Report(conversations, 0, 0, 0, [], [], [])
    for truth in truths:
        if truth["kind"] == "conversation":
            stream = f"conversation/{truth['organization_id']}/{truth['csid']}"
            report = _with(report, truth, came[stream])
    return report


def _sum(one: Report, other: Report) -> Report:
    return Report(
        one.conversations + other.conversations,
        one.lost + other.lost,
        one.lost_status + other.lost_status,
        one.unnoticed + other.unnoticed,
        one.overlooked + other.overlooked,
        one.marked_wrongly + other.marked_wrongly,
        one.wrong + other.wrong,
    )


def _with(report: Report, truth: Document, came: list[tuple[Event, Document]]) -> Report:
    """Add what is wrong in the answer about a conversation; without any webhook there is none."""
    if not came:
        return report
    end = parse_time(truth["as_of"])
    ordered = sorted((event for event, _ in came), key=lambda event: event.order)
    state = evolve(initial(truth["organization_id"], truth["csid"]), *ordered)
    answer = describe(state, now=end, as_of=end).model_dump(mode="json", by_alias=True)
    marked = bool(answer["counts"]["missed"])
    lost_status = any(
        lost["to"] and lost["event"] != "CONVERSATION_CREATED" for lost in truth["dropped"]
    )
    unnoticed = lost_status and not marked and not answer["starts_midlife"]
    hidden = not shows_a_loss([document for _, document in came])
    return report._replace(
        lost=report.lost + len(truth["dropped"]),
        lost_status=report.lost_status + lost_status,
        unnoticed=report.unnoticed + unnoticed,
        overlooked=report.overlooked + ([truth["csid"]] if unnoticed and not hidden else []),
        marked_wrongly=report.marked_wrongly
        + ([truth["csid"]] if marked and not truth["dropped"] else []),
        wrong=report.wrong + list(_compare(truth, answer, hidden=hidden)),
    )


def _compare(truth: Document, answer: Document, *, hidden: bool) -> Iterator[Wrong]:
    doubtful = bool(answer["counts"]["missed"] or answer["starts_midlife"])
    bounds = {
        *(f"times.{name}" for name in answer["times"]["upper_bounds"]),
        *(f"durations.{name}" for name in answer["durations"]["upper_bounds"]),
    }
    got = dict(_values(answer, truth))
    for field, expected in _values(truth, truth):
        if not _is_same(expected, got[field]):
            marked = doubtful or field in bounds
            yield Wrong(truth["csid"], field, expected, got[field], marked, hidden)


def _values(document: Any, truth: Document) -> Iterator[tuple[str, Any]]:
    for name in _SINGLE:
        yield name, _alike(document[name], truth[name])
    for part, names in (
        ("counts", _COUNTED),
        ("times", truth["times"]),
        ("durations", truth["durations"]),
    ):
        for name in names:
            yield f"{part}.{name}", document[part][name]


def _alike(value: Any, wanted: Any) -> Any:
    """Keep of an answer what the truth knows of."""
    match value, wanted:
        case dict(), dict() if wanted:
            return {name: _alike(value.get(name), wanted[name]) for name in wanted}
        case list(), list() if wanted and isinstance(wanted[0], dict):
            return [_alike(one, wanted[0]) for one in value]
        case _:
            return value


def _is_same(expected: Any, got: Any) -> bool:
    if isinstance(expected, float) and isinstance(got, float):
        return abs(expected - got) <= TOLERANCE
    return bool(expected == got)


def shows_a_loss(documents: Sequence[Document]) -> bool:
    """Return whether bodies contradict one another, as a reader of them alone would find it.

    A body shows a field as no body about that field left it, or reports a status again, later than
    the grace; unless a body about the field says the same within the grace after it.
    """
    ordered = sorted(documents, key=lambda one: str(one["event_timestamp"]))
    seen = [(_seconds(one), one["event_fqn"], _shown(one)) for one in ordered]
    known: dict[str, tuple[float, Any]] = {}
    for number, (at, fqn, shown) in enumerate(seen):
        about = _ABOUT.get(fqn.removeprefix("CONVERSATION_"), set())
        for field, value in shown.items():
            since, before = known.get(field, (at, value))
            if field in about:
                repeated = field in known and before == value and at - since > GRACE
                if field == "status" and fqn != "CONVERSATION_CREATED" and repeated:
                    return True
                known[field] = at, value
            elif before == value:
                known.setdefault(field, (at, value))
            elif at - since > GRACE and not _is_explained(seen[number + 1 :], at, field, value):
                return True
    return False


def _is_explained(
    later: Sequence[tuple[float, str, Document]], at: float, field: str, value: Any
) -> bool:
    return any(
        shown[field] == value
        for when, fqn, shown in later
        if when - at <= GRACE and field in _ABOUT.get(fqn.removeprefix("CONVERSATION_"), set())
    )


def _seconds(document: Document) -> float:
    return parse_time(document["event_timestamp"]).timestamp()


def _shown(document: Document) -> Document:
    shown = document["data"]["conversation"]
    return {
        "status": shown["status"],
        "assignee": (shown["assignee"] or {}).get("id"),
        "queue": (shown["queue"] or {}).get("id"),
        "requester": shown["requester"]["id"],
        "tags": sorted(tag["name"] for tag in shown["tags"]),
    }


def main() -> None:
    """Print the table, over several seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=3_000)
    parser.add_argument("--drop", type=float, default=0.08)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    total = Report(0, 0, 0, 0, [], [], [])
    for seed in range(1, asked.seeds + 1):
        report = measure(conversations=asked.conversations, drop=asked.drop, seed=seed)
        total = _sum(total, report)
    print("\n".join(total.lines()))  # noqa: T201


if __name__ == "__main__":
    main()
