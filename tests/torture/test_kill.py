"""Some rounds of killing; `scripts/torture kill` does more of them."""

from pathlib import Path

from kill import torture
from stock import Stock


def test_what_was_told_outlives_a_server_that_is_killed(store_url: str, tmp_path: Path) -> None:
    report = torture(store_url, tmp_path, rounds=2, seed=3)
    assert report.findings == []
    assert report.figures["answers: appended"] > 100


def test_a_body_that_is_made_twice_is_one_thing_to_the_judge() -> None:
    stock = Stock(1, oddities=0.9)
    pieces = [piece for _ in range(5_000) for piece in stock.make()]
    contents: dict[bytes, set[str]] = {}
    for piece in pieces:
        contents.setdefault(piece.raw, set()).add(piece.content)
    assert max(map(len, contents.values())) == 1
    assert len(contents) < len(pieces)
