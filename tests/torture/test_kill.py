"""Some rounds of killing; `scripts/torture kill` does more of them."""

from pathlib import Path

from kill import torture


def test_what_was_told_outlives_a_server_that_is_killed(store_url: str, tmp_path: Path) -> None:
    report = torture(store_url, tmp_path, rounds=2, seed=3)
    assert report.findings == []
    assert report.figures["answers: appended"] > 100
