"""Figures of a simulated desk, computed from the raw bodies, by nothing of the package."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

Body = dict[str, Any]
ENDS = {"CONVERSATION_CLOSED": "closed", "CONVERSATION_ABANDONED": "abandoned"}
MOVES = {
    "CONVERSATION_CREATED": "open",
    "CONVERSATION_OPEN": "open",
    "CONVERSATION_PENDING": "pending",
    "CONVERSATION_PENDING_EXPIRED": "open",
    **ENDS,
}


def at(body: Body) -> datetime:
    return datetime.fromisoformat(body["event_timestamp"])


class Desk:
    """Webhooks of which none is missing, in the order of their arrival, up to a moment."""

    def __init__(self, bodies: list[Body], now: datetime) -> None:
        self.now = now
        self.bodies = bodies
        self.by_csid: dict[int, list[Body]] = defaultdict(list)
        for body in bodies:
            if "conversation" in body["data"]:
                self.by_csid[body["data"]["conversation"]["csid"]].append(body)

    def of(self, csid: int, *fqns: str) -> list[Body]:
        return [body for body in self.by_csid[csid] if not fqns or body["event_fqn"] in fqns]

    def kind(self, *fqns: str) -> list[Body]:
        return [body for body in self.bodies if body["event_fqn"] in fqns]

    def snapshot(self, csid: int) -> Body:
        return self.by_csid[csid][-1]["data"]["conversation"]

    def status(self, csid: int, until: datetime | None = None) -> str:
        moves = [MOVES[body["event_fqn"]] for body in self.moves(csid, until)]
        return moves[-1]

    def moves(self, csid: int, until: datetime | None = None) -> list[Body]:
        return [body for body in self.of(csid, *MOVES) if until is None or at(body) <= until]

    def where(self, fits: Callable[[int], bool]) -> set[int]:
        return {csid for csid in self.by_csid if fits(csid)}

    def live(self, csid: int) -> bool:
        return self.status(csid) in ("open", "pending")

    def waiting_since(self, csid: int) -> datetime | None:
        """Since when it waits in a queue."""
        queued = None
        for body in self.by_csid[csid]:
            match body["event_fqn"], body["data"]:
                case "CONVERSATION_ENQUEUED", _:
                    queued = queued or at(body)
                case "CONVERSATION_ASSIGNED" | "CONVERSATION_TRANSFERRED", _:
                    queued = None
                case fqn, _ if fqn in ENDS:
                    queued = None
        return queued

    @cached_property
    def evaluations(self) -> dict[str, list[Body]]:
        found = defaultdict(list)
        for body in self.bodies:
            if body["event_fqn"].startswith("SLA_EVALUATION_"):
                found[body["data"]["sla_evaluation"]["id"]].append(body)
        return found

    def outcome(self, key: str) -> tuple[str, Body]:
        """The status of an evaluation and the webhook about it; a breach sticks."""
        last = self.evaluations[key][-1]
        for body in self.evaluations[key]:
            if body["event_fqn"].endswith("BREACHED"):
                last = body
        return last["event_fqn"].removeprefix("SLA_EVALUATION_").lower(), last

    def deadlines(self, csid: int) -> list[str]:
        about = {key: self.outcome(key) for key in self.evaluations}
        return [
            body["data"]["sla_evaluation"]["deadline"]
            for status, body in about.values()
            if status == "pending" and body["data"]["conversation"]["csid"] == csid
        ]

    def attainment(self, agent: str | None = None) -> Counter[str]:
        found = Counter[str]()
        for key in self.evaluations:
            status, body = self.outcome(key)
            assignee = body["data"]["conversation"]["assignee"]
            if agent is None or (assignee and assignee["name"] == agent):
                found[status] += 1
        return found

    def created_on(self, day: date) -> set[int]:
        return self.where(lambda csid: at(self.by_csid[csid][0]).date() == day)

    def responses(self) -> dict[int, tuple[datetime, datetime]]:
        """From the customer's first message to the first answer of an agent."""
        found = {}
        for csid in self.by_csid:
            messages = self.of(csid, "CONVERSATION_MESSAGE_ADDED")
            asked = [at(one) for one in messages if one["data"]["direction"] == "inbound"]
            author = "author"
            answers = [
                at(one)
                for one in messages
                if one["data"]["direction"] == "outbound"
                and one["data"][author]["user_type"] == "Member"
                and asked
                and at(one) >= asked[0]
            ]
            if answers and self.snapshot(csid)["direction"] == "INBOUND":
                found[csid] = (asked[0], answers[0])
        return found

    def visits(self) -> list[tuple[str, str | None, float]]:
        """The queue, the end and the seconds of every visit."""
        found = []
        for bodies in self.by_csid.values():
            running: tuple[str, datetime] | None = None
            for body in bodies:
                match body["event_fqn"], body["data"]:
                    case "CONVERSATION_ENQUEUED", {"queue": queue}:
                        running = running or (queue["name"], at(body))
                        continue
                    case "CONVERSATION_ASSIGNED", _:
                        end = "assigned"
                    case "CONVERSATION_TRANSFERRED", {"agent": _}:
                        end = "assigned"
                    case "CONVERSATION_TRANSFERRED", _:
                        end = "transferred"
                    case fqn, _ if fqn in ENDS:
                        end = ENDS[fqn]
                    case _:
                        continue
                if running:
                    found.append((running[0], end, (at(body) - running[1]).total_seconds()))
                running = None
            if running:
                found.append((running[0], None, 0.0))
        return found

    def reopened(self) -> list[bool]:
        """For each end of a conversation, whether it went on."""
        return [
            place + 1 < len(moves) and moves[place + 1]["event_fqn"] not in ENDS
            for moves in map(self.moves, self.by_csid)
            for place, move in enumerate(moves)
            if move["event_fqn"] in ENDS
        ]

    def scores(self, agent: str | None = None) -> list[int]:
        return [
            body["data"]["score"]
            for body in self.kind("CONVERSATION_RATED")
            if body["data"]["type"] == "Csat"
            and not body["data"]["comment"]
            and agent in (None, body["data"]["agent"]["name"])
        ]


def rank(values: list[float], percent: int) -> float | None:
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def share(judged: list[bool]) -> float:
    return round(sum(judged) / len(judged), 6)


def office_seconds(begin: datetime, end: datetime, opens: int, closes: int) -> float:
    """The seconds of an interval between two hours of each day in UTC."""
    total, day = 0.0, begin.date()
    while day <= end.date():
        first = datetime.combine(day, time(opens), UTC)
        last = datetime.combine(day, time(closes), UTC)
        total += max((min(last, end) - max(first, begin)).total_seconds(), 0.0)
        day += timedelta(days=1)
    return total
