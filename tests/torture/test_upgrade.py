"""What earlier releases have stored can be read for ever."""

import gzip
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from differential import Place, judge_views
from eventsourcing.persistence import Notification
from upgrade import SUBSCRIPTION, UPGRADE, digests

from dixa_state import open_tracker
from dixa_state.bootstrap import open_place
from dixa_state.deliveries import decode_state
from dixa_state.dixa.catalog import CATALOG, UNRECOGNISED
from dixa_state.dixa.signature import Secrets, verify
from dixa_state.dixa.streams import csid_of
from dixa_state.documents import status_document, transition_document
from dixa_state.domain.conversation import initial
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.fold import fold
from dixa_state.projection import replay as replaying
from dixa_state.projection import verify as verifying
from dixa_state.projection.folding import fold_stream
from dixa_state.projection.projector import Projector
from dixa_state.queries import Queries

RELEASES = sorted(path.name for path in UPGRADE.iterdir())
DAY_END = datetime(2026, 3, 3, tzinfo=UTC)
WHAT_TO_DO = """

The schema has changed. Stores that a release has made do not have the change.
- If no release has this schema yet: remove tests/data/upgrade/{release}, run
  `python tests/torture/upgrade.py`, and look at what it writes before you commit it.
- If a release has it: leave that folder alone. Raise SCHEMA_VERSION (of the views: VIEW_VERSION,
  and `dixa-state replay` rebuilds them), write the migration that leads old stores to it, and make
  a folder for the new release the same way.
"""


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    folder: Path = UPGRADE / request.param
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def old_store(request: pytest.FixtureRequest, release: Path) -> str:
    """A store as a release has left it."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    if request.param == "sqlite":
        packed = (release / "store.sqlite.gz").read_bytes()
        Path(url.removeprefix("sqlite:///")).write_bytes(gzip.decompress(packed))
    else:
        dump = gzip.decompress((release / "store.postgres.sql.gz").read_bytes())
        with psycopg.connect(url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute(dump)
    return url


def check_day(place: Place, expected: dict[str, Any]) -> None:
    tracker, views = place
    listed = {state.csid: state for state in Queries(tracker, views).conversations().items}
    for csid, wanted in expected["conversations"].items():
        state = tracker.conversation(int(csid))
        assert state == listed[int(csid)]
        told = status_document(state, now=DAY_END)
        for name in ("status", "status_since", "tags", "custom_attributes", "sla_status"):
            assert told[name] == wanted.get(name, told[name])
        assert wanted.get("counts", {}).items() <= told["counts"].items()
        moves = [transition_document(None, state.csid, move) for move in state.life.transitions]
        assert [[m["from"], m["to"], m["at"][11:-1]] for m in moves] == wanted["transitions"]


def test_an_old_store_opens_gives_its_day_replays_and_verifies(
    old_store: str, day_expected: dict[str, Any]
) -> None:
    tracker, views = place = open_place(old_store)
    with tracker:
        assert Projector(*place).catch_up()
        check_day(place, day_expected)
        assert list(verifying.verify(place, partial(open_place, old_store))) == []
        replaying.replay(*place, partial(open_tracker, old_store, create=False))
        check_day(place, day_expected)
        assert list(verifying.verify(place, partial(open_place, old_store))) == []
        views.close()


def test_an_old_store_goes_on_recognises_what_it_has_and_keeps_its_quarantine(
    old_store: str, day_lines: list[bytes]
) -> None:
    tracker, views = place = open_place(old_store)
    with tracker:
        assert {tracker.append(line).kind for line in day_lines} == {"duplicate"}
        problems = [item.problem for item in tracker.quarantined()]
        assert problems == ["not_json", "conflict", "no_event_fqn"]
        new = tracker.append(day_lines[0].replace(b'"event_id":"', b'"event_id":"new-'))
        assert (new.kind, new.position) == ("appended", 46)
        assert Projector(*place).catch_up()
        streams = [f"conversation/5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11/{n}" for n in (70431, 70432)]
        judge_views(place, streams)
        views.close()


def test_an_auditor_can_check_the_signatures_of_an_old_store(old_store: str) -> None:
    key = Secrets(unbound=(bytes.fromhex("00112233445566778899aabbccddeeff"),))
    with open_tracker(old_store, create=False) as tracker:
        stored = tracker.event_recorder.select_notifications(1, 100)
        assert len(stored) == 45
        for event in stored:
            webhook = decode_state(event.state)
            assert webhook.subscription_id == SUBSCRIPTION
            verify(webhook.body, webhook.signature, key)


def lines_of(release: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (release / "samples.jsonl").read_text().splitlines()]


def test_there_is_a_sample_of_every_topic() -> None:
    known = {event_type.topic for event_type in CATALOG} | {UNRECOGNISED}
    assert {
        sample["topic"] for release in RELEASES for sample in lines_of(UPGRADE / release)
    } == known


def test_every_sample_is_read_as_it_was_and_folds(release: Path) -> None:
    with open_tracker("memory:") as tracker:
        for number, sample in enumerate(lines_of(release), start=1):
            state = sample["state"].encode()
            stored = Notification(sample["stream"], 1, sample["topic"], state, number)
            event = tracker.read(stored)
            assert type(event.fact).__name__ == sample["fact"]
            assert (event.topic, event.event_id) == (sample["topic"], sample["event_id"])
            folded = fold_stream(sample["stream"], [stored], tracker.read, GRACE)
            assert folded.poison == ()
            if sample["stream"].startswith("conversation/"):
                start = initial(event.organization_id, csid_of(sample["stream"]))
                assert fold(start, [event]).version == 1


def test_the_schema_of_a_release_does_not_change() -> None:
    frozen = json.loads((UPGRADE / RELEASES[-1] / "schema.json").read_text())
    assert digests() == frozen, WHAT_TO_DO.format(release=RELEASES[-1])
