"""A small crowd; `scripts/torture concurrency` gathers greater ones."""

from pathlib import Path

from concurrency import SMALL, torture


def test_a_crowd_stores_each_event_once_and_followers_miss_none(
    store_url: str, tmp_path: Path
) -> None:
    report = torture(store_url, tmp_path, bodies=200, seed=1, size=SMALL)
    assert report.findings == []
    assert report.figures["events"] > 150
