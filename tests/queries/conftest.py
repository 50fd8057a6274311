"""A place to ask: a fresh store on each database, with its views."""

from collections.abc import Iterator

import pytest
from places import Place, open_place_at


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with open_place_at(store_url) as opened:
        yield opened
