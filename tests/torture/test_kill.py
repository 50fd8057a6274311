"""Some rounds of killing; `scripts/torture kill` does more of them."""

from pathlib import Path

import pytest
from kill import torture
from stock import Stock


@pytest.mark.parametrize(
    ("kind", "rounds", "rest"),
    [
        ("sqlite", 1, 0.2),
        pytest.param("sqlite", 4, 0.0, marks=pytest.mark.long),
        pytest.param("postgres", 4, 0.0, marks=pytest.mark.long),
    ],
)
def test_what_was_told_outlives_a_server_that_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, rounds: int, rest: float
) -> None:
    store = request.getfixturevalue(f"{kind}_url")
    report = torture(store, tmp_path, rounds, seed=3, rest=rest)
    assert report.findings == []
    assert report.figures["answers: appended"] > 30


def test_a_body_that_is_made_twice_is_one_thing_to_the_judge() -> None:
    stock = Stock(1, oddities=0.9)
    pieces = [piece for _ in range(2_000) for piece in stock.make()]
    contents: dict[bytes, set[str]] = {}
    for piece in pieces:
        contents.setdefault(piece.raw, set()).add(piece.content)
    assert max(map(len, contents.values())) == 1
    assert len(contents) < len(pieces)
