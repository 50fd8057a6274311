"""Orders in which the same webhooks may come in: any order, any repetition, any batches."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from worlds import Body, Story

from dixa_state import Webhook

_DELAYS = (1, 11, 600, 86_400)  # seconds; a snapshot may be ten seconds stale
_AGAIN = (0.0, 0.0, 0.1, 0.5, 1.0)
_BATCHES = (1, 3, 20, 1_000)
_GAPS = (timedelta(0), timedelta(milliseconds=3), timedelta(minutes=7))


class Item(NamedTuple):
    """A body on its way: its event, whose story it is of, its number in it, and its time."""

    body: Body
    stream: str
    number: int
    at: str


Order = Callable[[list[Item], Random], list[Item]]


def _as_it_happened(items: list[Item], _dice: Random) -> list[Item]:
    return sorted(items, key=lambda item: item.at)


def _backwards(items: list[Item], _dice: Random) -> list[Item]:
    return sorted(items, key=lambda item: item.at, reverse=True)


def _shuffled(items: list[Item], dice: Random) -> list[Item]:
    return dice.sample(items, len(items))


def _delayed(items: list[Item], dice: Random) -> list[Item]:
    longest = dice.choice(_DELAYS)

    def arrives(item: Item) -> datetime:
        delay = timedelta(seconds=dice.random() * longest)
        return datetime.fromisoformat(item.at) + delay

    return sorted(items, key=arrives)


def _one_story_after_the_other(items: list[Item], dice: Random) -> list[Item]:
    names = sorted({item.stream for item in items})
    dice.shuffle(names)
    return sorted(items, key=lambda item: (names.index(item.stream), item.number))


def _interleaved(items: list[Item], dice: Random) -> list[Item]:
    """Keep each story in its own order, and mix the stories."""
    turns = [item.stream for item in items]
    dice.shuffle(turns)
    stories = {name: iter([i for i in items if i.stream == name]) for name in set(turns)}
    return [next(stories[name]) for name in turns]


def _one_straggler(items: list[Item], dice: Random) -> list[Item]:
    late = sorted(items, key=lambda item: item.at)
    return [*late, late.pop(dice.randrange(len(late)))]


def _second_half_first(items: list[Item], dice: Random) -> list[Item]:
    in_order = sorted(items, key=lambda item: item.at)
    cut = dice.randrange(len(in_order))
    return in_order[cut:] + in_order[:cut]


def _newest_first(items: list[Item], _dice: Random) -> list[Item]:
    in_order = sorted(items, key=lambda item: item.at)
    return [in_order.pop(), *in_order]


ORDERS: dict[str, Order] = {
    "as it happened": _as_it_happened,
    "backwards": _backwards,
    "shuffled": _shuffled,
    "delayed": _delayed,
    "one story after the other": _one_story_after_the_other,
    "interleaved": _interleaved,
    "one straggler": _one_straggler,
    "second half first": _second_half_first,
    "newest first": _newest_first,
}


class Sent(NamedTuple):
    """A delivery, with what it is of."""

    webhook: Webhook
    event_id: str
    stream: str


def deliveries(
    stories: Sequence[Story], order: str, dice: Random, began: datetime
) -> list[list[Sent]]:
    """Give batches of deliveries: all bodies of all stories, some of them again."""
    items = [
        Item(body, story.stream, number, _time(body))
        for story in stories
        for number, body in enumerate(story.bodies)
    ]
    ordered = _with_repeats(ORDERS[order](items, dice), dice)
    return list(_batches(ordered, dice, began))


def _with_repeats(items: list[Item], dice: Random) -> list[Item]:
    share, respaced = dice.choice(_AGAIN), dice.random() < 0.2
    again = [item for item in items if dice.random() < share]
    for item in again:
        body = _respaced(item.body) if respaced else item.body
        items.insert(dice.randrange(len(items) + 1), item._replace(body=body))
    return items


def _respaced(body: Body) -> Body:
    """Write a body as another subscription might: the same content in other bytes."""
    members = reversed(json.loads(body.raw).items())
    return body._replace(raw=json.dumps(dict(members), indent=1).encode())


def _batches(items: list[Item], dice: Random, began: datetime) -> Iterator[list[Sent]]:
    largest, gap = dice.choice(_BATCHES), dice.choice(_GAPS)
    while items:
        size = dice.randint(1, largest)
        yield [
            Sent(Webhook(item.body.raw, began), item.body.event_id, item.stream)
            for item in items[:size]
        ]
        items, began = items[size:], began + gap


def _time(body: Body) -> str:
    mark = b'"event_timestamp"'
    rest = body.raw.partition(mark)[2]
    return rest.partition(b'"')[2].partition(b'"')[0].decode()
