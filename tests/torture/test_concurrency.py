"""A small crowd; `scripts/torture concurrency` gathers greater ones."""

from pathlib import Path

import pytest
from concurrency import SMALL, torture


@pytest.mark.parametrize(
    ("kind", "bodies", "rest"),
    [
        ("postgres", 50, 0.2),
        pytest.param("postgres", 200, 0.0, marks=pytest.mark.long),
        pytest.param("sqlite", 200, 0.0, marks=pytest.mark.long),
    ],
)
def test_a_crowd_stores_each_event_once_and_followers_miss_none(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, bodies: int, rest: float
) -> None:
    store = request.getfixturevalue(f"{kind}_url")
    report = torture(store, tmp_path, bodies=bodies, seed=1, size=SMALL, rest=rest)
    assert report.findings == []
    assert report.figures["events"] > 0.75 * bodies
