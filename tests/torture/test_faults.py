"""The faults that are over soon; `scripts/torture faults` brings them all."""

import pytest
from faults import torture

SHORT = {
    "sqlite": ("no file may grow", "another hour"),
    "postgres": ("killed", "is slow", "is cut"),
}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_service_outlives_faults_and_goes_on(kind: str) -> None:
    report = torture(kind, seed=1, only=SHORT[kind])
    assert report.findings == []
    assert len(report.rows) >= len(SHORT[kind])
