"""A soak of a moment; `scripts/torture soak` takes its time, and measures."""

from pathlib import Path

from soak import torture


def test_a_steady_rate_is_answered_and_followed(sqlite_url: str, tmp_path: Path) -> None:
    report = torture(sqlite_url, tmp_path, rate=60, seconds=2, seed=1)
    measured = ("memory has grown", "the views are", "only")  # means nothing in so short a time
    assert [one for one in report.findings if not one.startswith(measured)] == []
    assert report.figures["webhooks"] > 50
