"""What a simulation is: the same for the same seed, complete, lifelike, delivered as asked."""

import ast
import hashlib
import json
import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import dixa_state.simulate
from dixa_state.dixa.body import identify
from dixa_state.dixa.catalog import CATALOG, lookup
from dixa_state.errors import InvalidInputError
from dixa_state.simulate import FIRST_CSID, Plan, bodies, json_line, pretty_json
from dixa_state.simulate.desk import arrivals
from dixa_state.simulate.plan import DAY, HOUR, STORIES, Chance

DAYLIGHT = range(9, 17)


def digest(plan: Plan) -> str:
    truths: list[Any] = []
    told = hashlib.sha256()
    for simulated in bodies(plan, truths.append):
        told.update(json_line(simulated.body))
    told.update(json.dumps(truths).encode())
    return told.hexdigest()


def told_by(plan: Plan) -> list[Any]:
    truths: list[Any] = []
    for _ in bodies(plan, truths.append):
        pass
    return truths


def told_of(plan: Plan) -> tuple[dict[int, list[Any]], dict[int, Any]]:
    """Simulate, and sort the bodies and the truth by conversation."""
    by_csid: dict[int, list[Any]] = defaultdict(list)
    truths: list[Any] = []
    for _, body in bodies(plan, truths.append):
        if "conversation" in body["data"]:
            by_csid[body["data"]["conversation"]["csid"]].append(body)
    return by_csid, {told["csid"]: told for told in truths if told["kind"] == "conversation"}


def of(came: list[Any], fqn: str) -> list[Any]:
    return [body for body in came if body["event_fqn"] == fqn]


def apart(one: str, other: str) -> float:
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def test_the_same_options_give_the_same_bytes_in_every_process() -> None:
    program = (
        "import sys; from dixa_state.simulate import Plan, bodies, json_line; "
        "p = Plan(conversations=50, seed=7, duplicates=0.1, shuffle=60, drop=0.02); "
        "sys.stdout.buffer.writelines(json_line(s.body) for s in bodies(p))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs != {b""}


def test_another_seed_gives_another_simulation() -> None:
    plans = [Plan(conversations=20, seed=seed) for seed in (1, 1, 2)]
    one, again, other = map(digest, plans)
    assert one == again != other


def test_how_it_is_delivered_changes_nothing_of_what_happens() -> None:
    plain = Plan(conversations=200, seed=4)
    troubled = Plan(conversations=200, seed=4, duplicates=0.5, shuffle=7200)
    assert told_by(plain) == told_by(troubled)


def test_every_kind_of_event_of_the_catalogue_occurs() -> None:
    seen = Counter(simulated.body["event_fqn"] for simulated in bodies(Plan(conversations=700)))
    found = [event_type.key for fqn in seen if (event_type := lookup(fqn))]
    assert sorted(found) == sorted(event_type.key for event_type in CATALOG)
    assert len(found) == len(seen)


def test_every_body_is_one_that_the_door_admits_and_shows_what_samples_show(data: Path) -> None:
    sample = json.loads((data / "conversation_message_added.json").read_bytes())
    for _, webhook in bodies(Plan(conversations=100, seed=2)):
        assert identify(pretty_json(webhook)).topic != "unrecognised"
        assert list(webhook) == list(sample)
        if "conversation" in webhook["data"]:
            shown = webhook["data"]["conversation"]
            assert list(shown)[: len(sample["data"]["conversation"])] == list(
                sample["data"]["conversation"]
            )


@pytest.mark.parametrize(
    "name",
    [
        *("conversation_abandoned", "conversation_assigned", "conversation_closed"),
        *("conversation_custom_attribute_updated", "conversation_end_user_replaced"),
        *("conversation_message_added", "conversation_message_delivery_seen"),
        *("conversation_note_added", "conversation_pending_expired", "conversation_rated"),
        *("conversation_tag_added", "conversation_unassigned", "sla_evaluation_pending"),
        *("typing_started", "agent_banned_enduser", "agent_unbanned_ip"),
    ],
)
def test_an_event_tells_what_its_sample_tells(data: Path, name: str) -> None:
    sample = json.loads((data / f"{name}.json").read_bytes())
    for _, webhook in bodies(Plan(conversations=1_000, seed=2)):
        if webhook["event_fqn"] == sample["event_fqn"]:
            assert webhook["data"].keys() == sample["data"].keys()
            return
    pytest.fail(f"expected a {name} among the bodies, got none")


def test_a_body_is_written_as_dixa_writes_it() -> None:
    body = {"a": {"text": 'so: "x": []', "roles": [], "tags": [{"id": "ø"}]}, "n": None}
    assert pretty_json(body).decode().splitlines() == [
        *("{", '  "a" : {', r'    "text" : "so: \"x\": []",', '    "roles" : [', "    ],"),
        *('    "tags" : [', "      {", '        "id" : "ø"', "      }", "    ]", "  },"),
        *('  "n" : null', "}"),
    ]
    assert json.loads(pretty_json(body)) == json.loads(json_line(body)) == body


def test_bodies_are_about_as_long_as_real_ones_and_some_are_much_longer() -> None:
    sizes = sorted(len(json_line(body)) for _, body in bodies(Plan(conversations=500)))
    assert 1_000 < mean(sizes) < 1_500
    assert sizes[-1] > 3_000


def test_all_people_and_places_are_reserved_for_examples() -> None:
    for told in told_by(Plan(conversations=300)):
        for person in (told.get("requester"), told.get("assignee"), told.get("user")):
            if person:
                domain = person["email"].partition("@")[2]
                assert domain.split(".")[-1] == "example" or domain.startswith("example.")
                assert person["phone"] is None or person["phone"].startswith("+447700900")


def test_events_have_ids_of_their_own() -> None:
    ids = [body["event_id"] for _, body in bodies(Plan(conversations=500))]
    assert len(set(ids)) == len(ids)


def test_conversations_begin_by_the_curve_of_the_day_and_of_the_week() -> None:
    plan = Plan(conversations=7_000)
    begun = list(arrivals(7_000, plan.first, plan.last, Chance("curve")))
    assert begun == sorted(begun)
    assert plan.first <= begun[0]
    assert begun[-1] < plan.last
    by_hour = Counter((at - plan.first) % DAY // HOUR for at in begun)
    by_day = Counter((at - plan.first) // DAY for at in begun)
    assert min(by_hour[hour] for hour in DAYLIGHT) > 3 * max(by_hour[hour] for hour in range(6))
    assert by_day[0] > by_day[4] > 1.5 * by_day[6] > 0


@pytest.mark.parametrize("days", [0.01, 0.3, 2.5, 20])
def test_exactly_so_many_conversations_begin_and_nothing_happens_after_the_end(days: float) -> None:
    plan = Plan(conversations=60, days=days)
    arrived = [at for at, _ in bodies(plan)]
    told = [told["csid"] for told in told_by(plan) if told["kind"] == "conversation"]
    assert sorted(told) == list(range(FIRST_CSID, FIRST_CSID + 60))
    assert plan.start <= min(arrived)
    assert max(arrived) <= plan.end


def test_without_trouble_bodies_come_once_and_in_the_order_of_their_times() -> None:
    webhooks = [body for _, body in bodies(Plan(conversations=300))]
    times = [webhook["event_timestamp"] for webhook in webhooks]
    assert times == sorted(times)
    assert len({webhook["event_id"] for webhook in webhooks}) == len(webhooks)


def test_the_asked_fraction_of_bodies_comes_again_soon_or_later() -> None:
    arrived = list(bodies(Plan(conversations=400, duplicates=0.1)))
    copies = Counter(body["event_id"] for _, body in arrived)
    repeated = sum(count > 1 for count in copies.values())
    assert 0.09 < repeated / len(copies) < 0.11
    assert max(copies.values()) > 2
    assert any(one.body == next_.body for one, next_ in pairwise(arrived))


def test_deliveries_come_in_the_order_of_arrival_and_at_most_so_late() -> None:
    arrived = list(bodies(Plan(conversations=300, shuffle=3600)))
    delays = [
        (at - datetime.fromisoformat(body["event_timestamp"])).total_seconds()
        for at, body in arrived
    ]
    assert [at for at, _ in arrived] == sorted(at for at, _ in arrived)
    assert 0 <= min(delays) < 60
    assert 3_540 < max(delays) <= 3_600
    assert 1_700 < mean(delays) < 1_900


def test_the_asked_fraction_of_all_webhooks_is_dropped_and_the_truth_knows_which() -> None:
    plain = {body["event_id"]: body for _, body in bodies(Plan(conversations=600, seed=9))}
    plan = Plan(conversations=600, seed=9, drop=0.1)
    truths: list[Any] = []
    left = {body["event_id"] for _, body in bodies(plan, truths.append)}
    dropped = {item["event_id"]: item for told in truths for item in told["dropped"]}
    moved = {
        move["event_id"]: move["to"] for told in truths for move in told.get("transitions", ())
    }
    assert plain.keys() - left == dropped.keys()
    assert 0.09 < len(dropped) / len(plain) < 0.11
    assert {item["event"] for item in dropped.values()} > {
        "SLA_EVALUATION_VOIDED",
        "TYPING_STARTED",
    }
    assert all(item["event"] == plain[name]["event_fqn"] for name, item in dropped.items())
    assert all(item["to"] == moved.get(name) for name, item in dropped.items())


def test_of_a_conversation_some_fields_are_certain_as_soon_as_anything_is_delivered() -> None:
    by_csid, truths = told_of(Plan(conversations=300, drop=0.5))
    for csid, truth in truths.items():
        lost = {item["event"] for item in truth["dropped"]}
        assert bool(truth["certain"]) == bool(by_csid[csid])
        assert not ("CONVERSATION_RATED" in lost and "ratings" in truth["certain"])
        if "assignee" in truth["certain"] and "CONVERSATION_ASSIGNED" in lost:
            assert of(by_csid[csid], "CONVERSATION_ASSIGNED")


def test_a_subscription_to_some_events_delivers_no_others() -> None:
    wanted = ("CONVERSATION_CLOSED", "CONVERSATION_RATED")
    truths: list[Any] = []
    plan = Plan(conversations=200, seed=9, only=wanted)
    came = [body for _, body in bodies(plan, truths.append)]
    everything = {body["event_id"] for _, body in bodies(Plan(conversations=200, seed=9))}
    dropped = {item["event_id"] for told in truths for item in told["dropped"]}
    assert {body["event_fqn"] for body in came} == set(wanted)
    assert everything - {body["event_id"] for body in came} == dropped


def test_after_a_reopening_there_may_be_a_new_rating() -> None:
    _, truths = told_of(Plan(conversations=400, stories=["second_rating"]))
    assert max(len(truth["ratings"]) for truth in truths.values()) > 1
    for truth in truths.values():
        assert len(truth["ratings"]) <= 1 + truth["counts"]["reopens"]


def test_a_breach_sticks_though_it_is_achieved_later() -> None:
    by_csid, truths = told_of(Plan(conversations=400, stories=["late_achievement"]))
    late = 0
    for csid, truth in truths.items():
        achieved = of(by_csid[csid], "SLA_EVALUATION_ACHIEVED")
        ids = {body["data"]["sla_evaluation"]["id"] for body in achieved}
        assert {item["status"] for item in truth["sla"] if item["id"] in ids} <= {
            *("achieved", "breached")
        }
        late += sum(item["id"] in ids for item in truth["sla"] if item["status"] == "breached")
    assert late > 5


def test_abandoned_and_closed_may_be_one_ending_in_either_order() -> None:
    by_csid, truths = told_of(Plan(conversations=400, stories=["paired_ending"]))
    orders = set()
    for csid, truth in truths.items():
        moves = [move for move in truth["transitions"] if move["to"] == "abandoned"]
        for abandoned, move in zip(of(by_csid[csid], "CONVERSATION_ABANDONED"), moves, strict=True):
            assert abandoned["event_id"] == move["event_id"]
            times = [one["event_timestamp"] for one in of(by_csid[csid], "CONVERSATION_CLOSED")]
            if close := [time for time in times if apart(time, abandoned["event_timestamp"]) < 0.2]:
                assert move["at"] == min(*close, abandoned["event_timestamp"])
                orders.add(close[0] < abandoned["event_timestamp"])
    assert orders == {False, True}


def test_sla_evaluations_of_a_conversation_may_have_no_ids() -> None:
    by_csid, truths = told_of(Plan(conversations=400, stories=["sla_without_id"]))
    measured = [truth for truth in truths.values() if truth["sla"]]
    nameless = [truth for truth in measured if not truth["sla"][0]["id"]]
    assert 0.2 < len(nameless) / len(measured) < 0.4
    for truth in nameless:
        assert {item["id"] for item in truth["sla"]} == {None}
        for body in by_csid[truth["csid"]]:
            assert "id" not in body["data"].get("sla_evaluation", {})


def test_a_transfer_may_be_told_by_its_snapshot_alone() -> None:
    by_csid, truths = told_of(Plan(conversations=400, stories=["terse_transfer"]))
    transfers = [of(came, "CONVERSATION_TRANSFERRED") for came in by_csid.values()]
    sizes = Counter(len(body["data"]) for came in transfers for body in came)
    assert sizes.total() == sum(truth["counts"]["transfers"] for truth in truths.values())
    assert sizes[3] > sizes[1] > 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conversations": 0}, "conversations: expected a whole number from 1, got 0"),
        ({"days": 0}, "days: expected a number from 0.01 to 3,660, got 0"),
        ({"days": float("nan")}, "days: expected a number from 0.01 to 3,660, got nan"),
        ({"duplicates": 1.5}, "duplicates: expected a number from 0 to 1, got 1.5"),
        ({"drop": -0.1}, "drop: expected a number from 0 to 1, got -0.1"),
        (
            {"stories": ["war"]},
            f"stories: expected some of {', '.join(STORIES)}, got war",
        ),
        ({"shuffle": -1}, "shuffle: expected a number from 0 to 2,592,000, got -1"),
        (
            {"start": datetime(2026, 1, 1)},  # noqa: DTZ001 — that is what is wrong with it
            "start: expected a time with a zone from 1970 to 9899, got 2026-01-01T00:00:00",
        ),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Plan(**{"conversations": 1, **options})
    assert str(refused.value) == message


def test_extremes_are_possible() -> None:
    assert len(list(bodies(Plan(conversations=1, days=0.01)))) >= 1
    assert not list(bodies(Plan(conversations=20, drop=1)))
    plan = Plan(conversations=20, duplicates=1, shuffle=86_400)
    copies = Counter(body["event_id"] for _, body in bodies(plan))
    assert min(copies.values()) > 1


def test_memory_holds_what_is_under_way_not_what_has_arrived() -> None:
    def peak(days: float) -> int:
        plan = Plan(conversations=int(60 * days), days=days, shuffle=3600, duplicates=0.1)
        tracemalloc.start()
        for _ in bodies(plan):
            pass
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    assert peak(9) < 1.6 * peak(3)  # what has arrived would be three times as much


def test_no_copy_comes_more_than_an_hour_after_the_body_it_repeats() -> None:
    longest = timedelta(hours=2)
    plan = Plan(conversations=500, shuffle=3600, duplicates=0.2)
    for at, body in bodies(plan):
        happened = datetime.fromisoformat(body["event_timestamp"])
        assert timedelta(0) <= at - happened <= longest


def test_the_judge_shares_nothing_with_what_it_judges() -> None:
    folder = Path(dixa_state.simulate.__file__).parent
    allowed = ("dixa_state.simulate", "dixa_state.errors", "msgspec")
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            foreign = [
                name for name in names if name.partition(".")[0] not in sys.stdlib_module_names
            ]
            assert all(name.startswith(allowed) for name in foreign), (module.name, foreign)
