"""Which lines of dixa_state an input reaches: the feedback that tells interesting inputs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import dixa_state

_OURS = str(Path(dixa_state.__file__).parent)
_ours: dict[Any, bool] = {}

Lines = set[tuple[Any, int]]


@contextmanager
def traced() -> Iterator[Lines]:
    """Collect the lines of ours that run meanwhile; whoever traces already goes on afterwards."""
    lines: Lines = set()

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code, frame.f_lineno))
        return local

    def called(frame: FrameType, _event: str, _: Any) -> Any:
        code = frame.f_code
        if code not in _ours:
            _ours[code] = code.co_filename.startswith(_OURS)
        return local if _ours[code] else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield lines
    finally:
        sys.settrace(before)
