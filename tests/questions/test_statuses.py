"""Every status has its field in the answers that have one for each, and its colours."""

from importlib.resources import files

import pytest

from dixa_state.domain.lifecycle import RUNNING, STATUSES
from dixa_state.questions import CurrentCounts, DailyCounts
from dixa_state.questions.conversation import Durations
from dixa_state.questions.current import Tally

CSS = files("dixa_state.web.pages").joinpath("static/pages.css").read_text()


@pytest.mark.parametrize("status", STATUSES)
def test_answers_and_colours_have_every_status(status: str) -> None:
    assert status in Durations.model_fields
    assert {"open": "opened"}.get(status, status) in DailyCounts.model_fields
    assert status in (Tally if status in RUNNING else CurrentCounts).model_fields
    for name in (status, f"s-{status}"):
        assert f".{name} {{" in CSS or f".{name}, " in CSS, name
