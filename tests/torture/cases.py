"""The cases of `order`: what happens, how it comes in, and where, all from two numbers."""

from random import Random
from typing import Literal, NamedTuple

from orders import ORDERS
from worlds import CASES_PER_WORLD, Story, World, blurred, world

Backend = Literal["temporary", "sqlite", "postgres"]

_BACKENDS: dict[Backend, int] = {"temporary": 89, "sqlite": 8, "postgres": 3}
_STORIES = (1, 1, 2, 3, 4)
_CLOCKS = (1, 60, 3_600)  # seconds that a blurred clock knows
_BLURRED, _LOSSY, _CROWDED, _BANS = 0.15, 0.1, 0.15, 0.3


class Case(NamedTuple):
    """A case: stories to be told in an order, in a store; `truthful` if the truth is known."""

    seed: int
    number: int
    backend: Backend
    crowded: bool
    order: str
    stories: tuple[Story, ...]
    truthful: bool

    @property
    def dice(self) -> Random:
        """Chance for whatever happens in the case, the same every time."""
        return Random(f"case {self.seed} {self.number}")


def case(seed: int, number: int) -> Case:
    """Make a case; the same numbers make the same one."""
    dice = Random(f"order {seed} {number}")
    backend = dice.choices(list(_BACKENDS), list(_BACKENDS.values()))[0]
    crowded = backend != "temporary" and dice.random() < _CROWDED
    order = dice.choice(list(ORDERS))
    stories, truthful = _stories(world(seed, number // CASES_PER_WORLD), dice)
    here = Case(
        seed, number, "temporary", crowded=False, order=order, stories=stories, truthful=truthful
    )
    return here if backend == "temporary" else moved(here, backend, crowded=crowded)


def moved(one: Case, backend: Backend, *, crowded: bool = False) -> Case:
    """Let a case take place in a database, where it needs an organization of its own."""
    stories = tuple(story.of(f"order-{one.seed}-{one.number}") for story in one.stories)
    return one._replace(backend=backend, crowded=crowded, stories=stories)


def _stories(home: World, dice: Random) -> tuple[tuple[Story, ...], bool]:
    talks = [story for story in home.stories if story.kind == "conversation"]
    bans = [story for story in home.stories if story.kind != "conversation"]
    stories = dice.sample(talks, dice.choice(_STORIES))
    if bans and dice.random() < _BANS:
        stories.append(dice.choice(bans))
    trouble = dice.random()
    if trouble < _BLURRED:
        clock = dice.choice(_CLOCKS)
        return tuple(blurred(story, clock) for story in stories), False
    if trouble < _BLURRED + _LOSSY:
        return tuple(_lossy(story, dice) for story in stories), False
    return tuple(stories), True


def _lossy(story: Story, dice: Random) -> Story:
    """Lose any webhooks, even the creation, but one."""
    whole = story.bodies
    kept = [number for number in range(len(whole)) if dice.random() < 0.7]
    numbers = kept or [dice.randrange(len(whole))]
    return story._replace(bodies=tuple(whole[number] for number in numbers))
