"""Worlds to torture: simulated histories, stream by stream, each with the truth about it."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from dixa_state.dixa.body import identify
from dixa_state.dixa.streams import csid_of
from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.simulate import Plan, bodies, pretty_json

Document = dict[str, Any]

HOME = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
"""The organization of every simulation; a store with many cases has another one for each."""

CASES_PER_WORLD = 40
_CONVERSATIONS = 40
_DAYS = (0.1, 0.5, 2.0, 7.0)
_DROPS = (0.0, 0.0, 0.0, 0.05, 0.3, 0.9)


class Body(NamedTuple):
    """A webhook, and what its envelope says of it."""

    raw: bytes
    event_id: str


class Story(NamedTuple):
    """A stream: its bodies in the order in which things happened, and what is true in the end."""

    stream: str
    bodies: tuple[Body, ...]
    truth: Document

    @property
    def kind(self) -> str:
        return self.stream.partition("/")[0]

    @property
    def name(self) -> str:
        """The stream without its organization."""
        kind, _, subject = self.stream.split("/", 2)
        return f"{kind}/{subject}"

    def of(self, organization: str) -> "Story":
        """Tell the same story of another organization."""
        if organization == HOME:
            return self
        there = organization.encode()
        return Story(
            self.stream.replace(HOME, organization),
            tuple(Body(b.raw.replace(HOME.encode(), there), b.event_id) for b in self.bodies),
            {**self.truth, "organization_id": organization},
        )


class World(NamedTuple):
    """A simulation: its stories, and the moment of which the truth is told."""

    plan: Plan
    stories: tuple[Story, ...]


@lru_cache(maxsize=2)
def world(seed: int, number: int) -> World:
    """Make a world; the same numbers make the same one."""
    dice = Random(f"world {seed} {number}")
    plan = Plan(
        conversations=_CONVERSATIONS,
        seed=dice.randrange(1 << 32),
        days=dice.choice(_DAYS),
        drop=dice.choice(_DROPS),
    )
    truths: list[Document] = []
    streams: dict[str, list[bytes]] = defaultdict(list)
    for simulated in bodies(plan, truths.append):
        body = pretty_json(simulated.body)
        streams[identify(body).stream].append(body)
    told = {(truth["kind"], str(truth.get("id", truth.get("csid")))): truth for truth in truths}
    stories = (_story(stream, raw, told) for stream, raw in sorted(streams.items()))
    return World(plan, tuple(stories))


def _story(stream: str, raw: list[bytes], truths: dict[tuple[str, str], Document]) -> Story:
    kind, _, subject = stream.split("/", 2)
    name = str(csid_of(stream)) if kind == "conversation" else subject
    return Story(stream, tuple(map(_body, raw)), truths[kind, name])


def _body(raw: bytes) -> Body:
    return Body(raw, identify(raw).event_id)


def blurred(story: Story, seconds: int) -> Story:
    """Tell a story by a clock that only knows every so many seconds: many events coincide."""
    return story._replace(bodies=tuple(_blurred(body, seconds) for body in story.bodies))


def _blurred(body: Body, seconds: int) -> Body:
    webhook = json.loads(body.raw)
    at = parse_time(webhook["event_timestamp"]).timestamp()
    began = datetime.fromtimestamp(at - at % seconds, UTC)
    webhook["event_timestamp"] = format_time(began)
    return Body(json.dumps(webhook).encode(), body.event_id)
