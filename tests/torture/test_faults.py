"""A fault that is over soon, in every run; `scripts/torture faults` brings all of them."""

import pytest
from faults import torture

LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("sqlite", "no file may grow"),
        pytest.param("sqlite", "another hour", marks=LONG),
        pytest.param("postgres", "killed", marks=LONG),
        pytest.param("postgres", "is slow", marks=LONG),
        pytest.param("postgres", "is cut", marks=LONG),
    ],
)
def test_a_service_outlives_a_fault_and_goes_on(kind: str, fault: str) -> None:
    report = torture(kind, seed=1, only=(fault,), rest=0.2)
    assert report.findings == []
    assert len(report.rows) >= 1
