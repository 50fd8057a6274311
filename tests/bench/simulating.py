"""`simulate`: how fast webhooks are made up."""

from collections.abc import Iterator

from measuring import Beside, Result, in_turns, timed
from stores import MakeStore

from dixa_state.simulate import Plan, bodies, json_line

CONVERSATIONS = 2_000
WANTED = 20_000


def simulate(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure events a second on one core; the database has no part in it."""
    del make
    if store != "sqlite":
        return
    rate = in_turns({"ours": _simulated})["ours"]
    yield Result("simulate", "none", "events/s", rate, (Beside("wanted", WANTED, at_least=1),))


def _simulated() -> float:
    with timed() as seconds:
        plan = Plan(conversations=CONVERSATIONS, duplicates=0.1)
        number = sum(bool(json_line(simulated.body)) for simulated in bodies(plan))
    return number / seconds()
