"""The first hour: what a support lead, an engineer and an auditor ask, each by one command.

The store is simulated; every answer is compared with a figure computed from the raw bodies.
"""

import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from desk_figures import Desk, at, office_seconds, rank, share

from dixa_state import Webhook, open_tracker
from dixa_state.cli import run
from dixa_state.simulate import Plan, bodies, json_line

Rows = list[dict[str, Any]]
HOURS = "\n".join(
    f'{day} = "08:00-16:00"'
    for day in (*("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),)
)


class Asked(NamedTuple):
    """A question in words, the command that answers it, and what is right by the raw bodies."""

    words: str
    command: str
    right: Callable[[Rows, Desk], bool]


def listed(fits: Callable[[int, Desk], bool]) -> Callable[[Rows, Desk], bool]:
    def right(rows: Rows, desk: Desk) -> bool:
        found = {row["csid"] for row in rows}
        return found == desk.where(lambda csid: fits(csid, desk))

    return right


def measured(name: str, right: Callable[[dict[str, Any], Desk], bool]) -> Callable[..., bool]:
    return lambda rows, desk: right(rows[0]["measures"][name], desk)


def grouped(name: str, right: Callable[[dict[str, Any], Desk], bool]) -> Callable[..., bool]:
    def all_right(rows: Rows, desk: Desk) -> bool:
        groups = {group["value"]: group["measures"][name] for group in rows[0]["groups"]}
        return right({value: one for value, one in groups.items() if one["count"]}, desk)

    return all_right


def seconds_of_responses(desk: Desk) -> list[float]:
    return [(answered - asked).total_seconds() for asked, answered in desk.responses().values()]


def waits(desk: Desk, queue: str) -> list[float]:
    return [seconds for name, end, seconds in desk.visits() if (name, end) == (queue, "assigned")]


def assigned(desk: Desk, csid: int) -> str | None:
    return (desk.snapshot(csid)["assignee"] or {}).get("name")


ASKED = (
    Asked(
        "Which conversations are open now?",
        "list --status open",
        listed(lambda csid, desk: desk.status(csid) == "open"),
    ),
    Asked(
        "Who has waited longest for us?",
        "list --sort waiting --limit 1",
        lambda rows, desk: (
            [datetime.fromisoformat(row["waiting_since"]) for row in rows]
            == sorted(filter(None, map(desk.waiting_since, desk.by_csid)))[:1]
        ),
    ),
    Asked(
        "Who waits at all?",
        "list --sort waiting",
        listed(lambda csid, desk: desk.waiting_since(csid) is not None),
    ),
    Asked(
        "What has been open for longest?",
        "list --sort open_since --limit 1",
        lambda rows, desk: (
            datetime.fromisoformat(rows[0]["status_since"])
            == min(at(desk.moves(c)[-1]) for c in desk.by_csid if desk.status(c) == "open")
        ),
    ),
    Asked(
        "Which promise falls due next?",
        "list --sort deadline --limit 1",
        lambda rows, desk: (
            [row["times"]["next_deadline"] for row in rows]
            == sorted(due for c in desk.by_csid if desk.live(c) for due in desk.deadlines(c))[:1]
        ),
    ),
    Asked(
        "What is in the queue Support?",
        "list --queue support",
        listed(lambda csid, desk: (desk.snapshot(csid)["queue"] or {}).get("name") == "Support"),
    ),
    Asked(
        "What does this agent have on the desk?",
        "list --assignee '{agent}' --status open --status pending",
        listed(lambda c, desk: desk.live(c) and assigned(desk, c) == agent_of(desk)),
    ),
    Asked(
        "What is open and nobody's?",
        "list --assignee none --status open",
        listed(lambda c, desk: desk.status(c) == "open" and assigned(desk, c) is None),
    ),
    Asked(
        "What is tagged refund?",
        "list --tag Refund",
        listed(lambda c, d: "refund" in {tag["name"] for tag in d.snapshot(c)["tags"]}),
    ),
    Asked(
        "What came in by email?",
        "list --channel email",
        listed(lambda csid, desk: desk.snapshot(csid)["channel"] == "EMAIL"),
    ),
    Asked(
        "What do we have from this customer?",
        "list --requester {email}",
        listed(lambda c, d: d.snapshot(c)["requester"]["email"] == customer_of(d)["email"]),
    ),
    Asked(
        "Where is the customer whose name begins like this?",
        "list --text '{name}'",
        lambda rows, desk: customer_of(desk)["id"] in {row["requester"]["id"] for row in rows},
    ),
    Asked(
        "What happened to this conversation?",
        "timeline {csid}",
        lambda rows, desk: (
            [row["event_id"] for row in rows]
            == [body["event_id"] for body in desk.by_csid[csid_of(desk)]]
        ),
    ),
    Asked(
        "When did its status change?",
        "audit {csid}",
        lambda rows, desk: (
            [row["event_id"] for row in rows]
            == [body["event_id"] for body in desk.moves(csid_of(desk))]
        ),
    ),
    Asked(
        "How was it at noon?",
        "status {csid} --as-of {noon}",
        lambda rows, desk: rows[0]["status"] == desk.status(csid_of(desk), noon(desk)),
    ),
    Asked(
        "What did we believe then?",
        "status {csid} --known-at {noon}",
        lambda rows, desk: (
            rows[0]["version"]
            == sum(at(body) <= noon(desk) for body in desk.by_csid[csid_of(desk)])
        ),
    ),
    Asked(
        "What did the whole desk look like then?",
        "list --as-of {noon} --status open",
        lambda rows, desk: (
            {row["csid"] for row in rows}
            == desk.where(
                lambda c: bool(desk.moves(c, noon(desk))) and desk.status(c, noon(desk)) == "open"
            )
        ),
    ),
    Asked(
        "And what did we know of it then?",
        "list --known-at {noon}",
        listed(lambda csid, desk: at(desk.by_csid[csid][0]) <= noon(desk)),
    ),
    Asked(
        "How many came in yesterday?",
        "stats --since yesterday --until today",
        lambda rows, desk: rows[0]["conversations"] == len(desk.created_on(yesterday(desk))),
    ),
    Asked(
        "More than the day before?",
        "stats --since yesterday --until today --compare -1d",
        lambda rows, desk: (
            rows[0]["compared"]["conversations"]
            == len(desk.created_on(yesterday(desk) - timedelta(days=1)))
        ),
    ),
    Asked(
        "By which channel?",
        "stats --by channel",
        grouped(
            "conversations",
            lambda found, desk: all(
                one["count"] == len(desk.where(lambda c: desk.snapshot(c)["channel"] == value))  # noqa: B023
                for value, one in found.items()
            ),
        ),
    ),
    Asked(
        "How soon do we answer?",
        "stats",
        measured(
            "first_response",
            lambda one, desk: (
                (one["p50"], one["p90"])
                == tuple(rank(seconds_of_responses(desk), percent) for percent in (50, 90))
            ),
        ),
    ),
    Asked(
        "And when only office hours count?",
        "stats --business-hours {hours}",
        measured(
            "first_response",
            lambda one, desk: (
                one["p50"]
                == rank([office_seconds(*gap, 8, 16) for gap in desk.responses().values()], 50)
            ),
        ),
    ),
    Asked(
        "How long does each queue wait?",
        "stats --by queue",
        grouped(
            "queue_wait",
            lambda found, desk: all(
                one["p90"] == rank(waits(desk, value), 90) for value, one in found.items()
            ),
        ),
    ),
    Asked(
        "How many give up in a queue?",
        "stats",
        measured(
            "abandon_rate",
            lambda one, desk: (
                one["average"] == share([e == "abandoned" for _, e, _ in desk.visits()])
            ),
        ),
    ),
    Asked(
        "How many come back?",
        "stats",
        measured("reopen_rate", lambda one, desk: one["average"] == share(desk.reopened())),
    ),
    Asked(
        "Who makes customers happy?",
        "stats --by agent",
        grouped(
            "csat",
            lambda found, desk: all(
                one["average"] == share([score >= 4 for score in desk.scores(agent)])
                for agent, one in found.items()
            ),
        ),
    ),
    Asked(
        "Do we keep our promises?",
        "sla --attainment",
        lambda rows, desk: rows[0] == rows[0] | dict(desk.attainment()),
    ),
    Asked(
        "Who keeps them?",
        "sla --attainment --by agent",
        lambda rows, desk: all(
            row["breached"] == desk.attainment(row["value"])["breached"]
            and row["achieved"] == desk.attainment(row["value"])["achieved"]
            for row in rows
            if row["value"]
        ),
    ),
    Asked(
        "Which promises are broken and still open?",
        "sla --status breached_open",
        lambda rows, desk: (
            {row["id"] for row in rows}
            == {
                key
                for key, told in desk.evaluations.items()
                if told[-1]["event_fqn"] == "SLA_EVALUATION_BREACHED"  # no late achievement
                and desk.live(desk.outcome(key)[1]["data"]["conversation"]["csid"])
            }
        ),
    ),
    Asked(
        "Did Dixa lose a webhook?",
        "audit --missed",
        lambda rows, _desk: rows == [],
    ),
    Asked(
        "What exactly did Dixa send?",
        "events {csid}",
        lambda rows, desk: [json.loads(row["body"]) for row in rows] == desk.by_csid[csid_of(desk)],
    ),
    Asked(
        "Why does it have this status?",
        "why {csid} status",
        lambda rows, desk: rows[0]["event_id"] == desk.moves(csid_of(desk))[-1]["event_id"],
    ),
    Asked(
        "Who is banned?",
        "bans",
        lambda rows, desk: len(rows) == len(banned(desk)),
    ),
)


def banned(desk: Desk) -> set[str]:
    found: set[str] = set()
    for body in desk.bodies:
        data, fqn = body["data"], body["event_fqn"]
        subject = json.dumps(data.get("enduser", {}).get("id") or data.get("ip"))
        if fqn.startswith("AGENT_BANNED"):
            found.add(subject)
        elif fqn.startswith("AGENT_UNBANNED"):
            found.discard(subject)
    return found


def csid_of(desk: Desk) -> int:
    """The conversation that most happened to, of those that had begun at noon."""
    begun = [csid for csid, found in desk.by_csid.items() if at(found[0]) <= noon(desk)]
    return max(begun, key=lambda csid: len(desk.by_csid[csid]))


def agent_of(desk: Desk) -> str:
    found = sorted(name for c in desk.by_csid if desk.live(c) and (name := assigned(desk, c)))
    return found[0]


def customer_of(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.snapshot(csid_of(desk))["requester"]
    return found


def noon(desk: Desk) -> datetime:
    return desk.now.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def yesterday(desk: Desk) -> Any:
    return (desk.now - timedelta(days=1)).date()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Desk, Path]:
    """A desk of three days up to now, received as it happened."""
    folder = tmp_path_factory.mktemp("first-hour")
    now = datetime.now(UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    plan = Plan(conversations=250, days=4, seed=11, start=start, stories=("late_achievement",))
    made = [simulated for simulated in bodies(plan) if simulated.at <= now]
    url = f"sqlite:///{folder}/desk.db"
    with open_tracker(url) as tracker:
        tracker.append_many([Webhook(json_line(one.body), one.at) for one in made])
    (folder / "hours.toml").write_text(HOURS)
    return url, Desk([one.body for one in made], now), folder


def test_there_are_thirty_questions() -> None:
    assert len(ASKED) >= 30


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.words)
def test_the_first_hour(
    asked: Asked, store: tuple[str, Desk, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url, desk, folder = store
    words = shlex.split(
        asked.command.format(
            agent=agent_of(desk).upper(),
            csid=csid_of(desk),
            email=customer_of(desk)["email"],
            name=customer_of(desk)["name"][:3],
            noon=noon(desk).isoformat(),
            hours=folder / "hours.toml",
        )
    )
    assert run([*words, "--store", url, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert asked.right(rows, desk), rows
