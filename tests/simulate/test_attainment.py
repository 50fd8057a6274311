"""Attainment by who had the conversation at the outcome, as the webhooks themselves say it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

OUTCOMES = ("achieved", "breached", "voided")
Document = dict[str, Any]


def outcomes(webhooks: list[Document]) -> dict[str, Document]:
    """Return the body that decides each evaluation: its first outcome, since a breach sticks."""
    decided: dict[str, Document] = {}
    for body in sorted(webhooks, key=lambda body: str(body["event_timestamp"])):
        fqn, _, outcome = body["event_fqn"].rpartition("_")
        if fqn == "SLA_EVALUATION" and outcome.lower() in OUTCOMES:
            decided.setdefault(body["data"]["sla_evaluation"].get("id", body["event_id"]), body)
    return decided


@pytest.mark.parametrize("count", [250, pytest.param(1_000, marks=pytest.mark.long)])
def test_attainment_is_what_the_outcomes_say_themselves(
    simulated: Callable[..., Any], call: Callable[..., Any], count: int
) -> None:
    files = simulated(count, "--days", 14)
    has_every_story(files.webhooks)
    assert call("ingest", files.bodies).code == 0
    for by, shown in (("agent", "assignee"), ("queue", "queue")):
        assert listed(call, by) == counted(files.webhooks, shown)


def has_every_story(webhooks: list[Document]) -> None:
    """Check that what attainment can be wrong about happens: else the counts prove little."""
    ids = {
        outcome: {
            body["data"]["sla_evaluation"].get("id")
            for body in webhooks
            if body["event_fqn"] == f"SLA_EVALUATION_{outcome}"
        }
        for outcome in ("BREACHED", "ACHIEVED")
    }
    in_both = ids["BREACHED"] & ids["ACHIEVED"]
    assert None in in_both  # evaluations without ids
    assert len(in_both) > 4  # breached, and achieved later
    shown = [body["data"]["conversation"] for body in webhooks if "conversation" in body["data"]]
    newest = {conversation["csid"]: conversation for conversation in shown}
    for name in ("assignee", "queue"):  # transferred after the outcome
        then = [body["data"]["conversation"] for body in outcomes(webhooks).values()]
        assert sum(one[name] != newest[one["csid"]][name] for one in then) > 10


def counted(webhooks: list[Document], shown: str) -> Counter[tuple[str | None, str]]:
    found: Counter[tuple[str | None, str]] = Counter()
    for body in outcomes(webhooks).values():
        who = body["data"]["conversation"][shown]
        found[who and who["name"], body["event_fqn"].rpartition("_")[2].lower()] += 1
    assert len({who for who, _ in found}) > 3
    return found


def listed(call: Callable[..., Any], by: str) -> dict[tuple[str | None, str], int]:
    shares = call("sla", "--attainment", "--by", by, "--json").rows
    return {
        (share["value"], outcome): share[outcome]
        for share in shares
        for outcome in OUTCOMES
        if share[outcome]
    }
