"""When conversations begin: by the curve of the day and of the week."""

from collections.abc import Iterator
from math import fsum

from dixa_state.simulate.dice import Dice
from dixa_state.simulate.times import HOUR, hour_of_week

_DAY = (2, 1, 1, 1, 1, 3, 8, 20, 45, 70, 85, 80, 65, 70, 75, 70, 60, 50, 42, 38, 32, 22, 12, 5)
_DAYS = (1.25, 1.1, 1.0, 1.0, 0.95, 0.5, 0.4)
CURVE = tuple(share * hour for share in _DAYS for hour in _DAY)
"""How much begins in each hour of the week, from Monday at midnight UTC."""


def arrivals(amount: int, first: int, last: int, dice: Dice) -> Iterator[int]:
    """Give so many moments from `first` up to `last`, in order, by the curve.

    Each has a slice of the curve to itself and falls somewhere into it, which keeps them in order
    without holding them.
    """
    step = fsum(weight for _, _, weight in _hours(first, last)) / amount
    hours = _hours(first, last)
    begin, end, weight = next(hours)
    before = 0.0
    for number in range(amount):
        place = (number + dice.roll()) * step
        while place >= before + weight and (following := next(hours, None)):
            before += weight
            begin, end, weight = following
        inside = min((place - before) / weight, 1.0)
        yield min(begin + int(inside * (end - begin)), end - 1)


def _hours(first: int, last: int) -> Iterator[tuple[int, int, float]]:
    begin = first
    while begin < last:
        end = min((begin // HOUR + 1) * HOUR, last)
        yield begin, end, CURVE[hour_of_week(begin)] * (end - begin) / HOUR
        begin = end
