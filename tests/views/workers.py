"""What tests run in processes of their own, to kill them: `workers.py WORK STORE …`."""

import sys
from functools import partial
from pathlib import Path
from threading import Event

from projections import SMALL_RANGE, days, deliver, opened, replay

from dixa_state.views import ranges
from dixa_state.views.projector import Projector


def project(url: str) -> None:
    """Project until killed, and tell each position."""
    with opened(url) as place:
        say("ready")
        Projector(*place, batch_size=7).run(Event(), lambda at: say(at) if at else None)


def append(url: str, day: str, first: str, count: str) -> None:
    """Append days, in small batches as a web server would."""
    lines = Path(day).read_bytes().splitlines()
    with opened(url) as (tracker, _):
        for bodies in days(lines, int(count), int(first)):
            for start in range(0, len(bodies), 3):
                deliver(tracker, bodies[start : start + 3])


def rebuild(url: str) -> None:
    """Replay, and stay in the middle of it, until killed, as soon as some events are done."""

    ranges.RANGE = SMALL_RANGE

    def stay(done: int) -> None:
        say(done)
        sys.stdin.read()

    with opened(url) as place:
        replay(url, place, stay)


say = partial(print, flush=True)

if __name__ == "__main__":
    {"project": project, "append": append, "rebuild": rebuild}[sys.argv[1]](*sys.argv[2:])
