"""Chance, the same for the same seed on every machine and every Python.

Only `random()` and `getrandbits()` of the standard generator are used, since other methods may draw
otherwise in another Python; and no logarithm after the start, since libraries differ in its last
digit.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import exp
from random import Random
from statistics import NormalDist
from typing import Generic, TypeVar

T = TypeVar("T")

_STEPS = 512
_SIGMA = 0.85
_DIGITS = 6
_SPREAD = tuple(
    round(exp(_SIGMA * NormalDist().inv_cdf((step + 0.5) / _STEPS)), _DIGITS)
    for step in range(_STEPS)
)


class Dice:
    """A source of chance."""

    __slots__ = ("_bits", "roll")

    def __init__(self, seed: str) -> None:
        source = Random(seed)  # noqa: S311 — made to be predicted
        self._bits = source.getrandbits
        self.roll = source.random
        """Give a number from 0 up to, but not including, 1."""

    def chance(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return self.roll() < probability

    def between(self, low: int, high: int) -> int:
        """Give a whole number from `low` up to, but not including, `high`; all alike."""
        return low + int(self.roll() * (high - low))

    def about(self, median: int) -> int:
        """Give a whole number around a median, as waits and lengths are spread: log-normally."""
        place = self.roll() * (_STEPS - 1)
        step = int(place)
        low = _SPREAD[step]
        return int(median * (low + (_SPREAD[step + 1] - low) * (place - step)))

    def pick(self, options: Sequence[T]) -> T:
        """Take one of several; all alike."""
        return options[int(self.roll() * len(options))]

    def uuid(self) -> str:
        """Make a UUID of version 4."""
        digits = f"{self._bits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Weighted(Generic[T]):
    """Several options, each with its weight."""

    __slots__ = ("_bounds", "_options")

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._options = tuple(weights)
        bounds = list(accumulate(weights.values()))
        self._bounds = [bound / bounds[-1] for bound in bounds[:-1]]

    def pick(self, dice: Dice) -> T:
        """Take one of them, as likely as its weight."""
        return self._options[bisect_right(self._bounds, dice.roll())]
