"""Where the cases of `order` take place: a temporary store for each, one in a database for many."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import crowd
from cases import Backend, Case
from clusters import FAST, cluster
from differential import Place
from judging import reference
from worlds import CASES_PER_WORLD, Story

from dixa_state import open_tracker
from dixa_state.bootstrap import open_place, open_views
from dixa_state.views.replay import replay
from dixa_state.views.verify import verify

_FAST = Path("/dev/shm")  # noqa: S108 — memory, where there is one: nothing fails here but code


class Grounds:
    """Opens what the cases need when they need it; use it in a `with` statement."""

    def __init__(self, **urls: str) -> None:
        """Use these databases (`sqlite=`, `postgres=`), and our own for those not named."""
        self._stack = ExitStack()
        self._urls = urls
        self._places: dict[str, Place] = {}
        self._crowd: ProcessPoolExecutor | None = None
        self._references: dict[str, bytes] = {}
        self._world = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back all that was opened."""
        self._stack.close()

    @property
    def crowd(self) -> ProcessPoolExecutor:
        """The processes that deliver together."""
        if self._crowd is None:
            self._crowd = self._stack.enter_context(crowd.gathered())
        return self._crowd

    def url(self, backend: Backend) -> str:
        """Give the URL of a database."""
        if backend not in self._urls:
            own = _own_sqlite if backend == "sqlite" else _own_postgres
            self._urls[backend] = self._stack.enter_context(own())
        return self._urls[backend]

    def place(self, backend: Backend) -> Place:
        """Open a database, once."""
        if backend not in self._places:
            tracker = self._stack.enter_context(open_tracker(self.url(backend)))
            views = open_views(tracker.event_recorder)
            self._stack.callback(views.close)
            self._places[backend] = tracker, views
        return self._places[backend]

    def reference(self, one: Case, story: Story) -> bytes:
        """Give the state that a story has when it comes in order, known from an earlier case."""
        if not one.truthful:
            return reference(story)
        number = one.number // CASES_PER_WORLD
        if self._world != number:
            self._world, self._references = number, {}
        if story.name not in self._references:
            self._references[story.name] = reference(story)
        return self._references[story.name]

    def verify(self) -> Iterator[str]:
        """Check each database as a whole, as its users do; rebuild its views, and check again."""
        for backend, place in self._places.items():
            url = self.url(backend)  # type: ignore[arg-type]
            yield from (f"{backend}: {found}" for found in verify(place, partial(open_place, url)))
            replay(*place, partial(open_place, url))
            again = verify(place, partial(open_place, url))
            yield from (f"{backend} after a replay: {found}" for found in again)


@contextmanager
def _own_sqlite() -> Iterator[str]:
    where = _FAST if _FAST.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="torture-", dir=where) as folder:
        yield f"sqlite:///{folder}/store.db"


@contextmanager
def _own_postgres() -> Iterator[str]:
    with cluster(FAST) as server:
        yield server.url()
