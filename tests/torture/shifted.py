"""The program with a clock that can be moved: `python shifted.py serve …`.

The file that `TORTURE_CLOCK` names holds the seconds that its clock differs from the true one.
"""

import os
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

COMMAND = (sys.executable, str(Path(__file__)))

_true_time = time.time


def _shift() -> float:
    try:
        return float(Path(os.environ["TORTURE_CLOCK"]).read_text() or 0)
    except OSError:
        return 0.0


class Shifted(datetime):
    """A datetime whose now is another."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=_shift())


if __name__ == "__main__":
    time.time = lambda: _true_time() + _shift()
    from dixa_state import cli, tracker

    tracker.datetime = Shifted  # type: ignore[attr-defined,misc]
    cli.main()
