"""A place to ask: a fresh store on each database, with its views."""

from collections.abc import Iterator

import pytest
from places import Place, open_place_at

from dixa_state.questions import planning


@pytest.fixture(autouse=True)
def usual_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test has set."""
    monkeypatch.setattr(planning, "FEW", planning.FEW)


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with open_place_at(store_url) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """One store for all tests of a module: they may add to it, and mind what others added."""
    yield from _place(request, tmp_path_factory)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def day(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, day_lines: list[bytes]
) -> Iterator[Place]:
    """A store that holds the example day, for tests that only ask."""
    for place in _place(request, tmp_path_factory):
        place.receive(day_lines)
        yield place


def _place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/store.db"
    else:
        url = request.getfixturevalue("make_postgres_store")()
    with open_place_at(url) as opened:
        yield opened
