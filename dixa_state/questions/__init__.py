"""The read service behind library, command line, API and pages: lists, counts and shares."""

from dixa_state.questions.changes import MAX_CHANGES
from dixa_state.questions.endusers import EndUser
from dixa_state.questions.filters import (
    SLA_STATUSES,
    SLA_SUMMARIES,
    SORTS,
    Filters,
    SlaFilters,
    TransitionFilters,
)
from dixa_state.questions.paging import LIMIT, MAX_LIMIT, Page
from dixa_state.questions.search import Asked, Search, read_search
from dixa_state.questions.search_body import SearchBody
from dixa_state.questions.service import By, Move, Queries, Share, fitting_transitions
from dixa_state.questions.stats import Day, Measure, Stats

__all__ = [
    "LIMIT",
    "MAX_CHANGES",
    "MAX_LIMIT",
    "SLA_STATUSES",
    "SLA_SUMMARIES",
    "SORTS",
    "Asked",
    "By",
    "Day",
    "EndUser",
    "Filters",
    "Measure",
    "Move",
    "Page",
    "Queries",
    "Search",
    "SearchBody",
    "Share",
    "SlaFilters",
    "Stats",
    "TransitionFilters",
    "fitting_transitions",
    "read_search",
]
