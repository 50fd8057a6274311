"""What can be asked: each question once, with its input, its answer and the function between."""

from dixa_state.questions.bans import Ban, Bans, EndUser, OneEndUser
from dixa_state.questions.conversation import Conversation, OneConversation, describe
from dixa_state.questions.conversations import Conversations
from dixa_state.questions.current import Current, CurrentCounts
from dixa_state.questions.missed import Loss, Missed
from dixa_state.questions.operations import Operations, OperationsReport
from dixa_state.questions.question import Answer, Page, PagedQuestion, Question
from dixa_state.questions.reader import Reader
from dixa_state.questions.search import Search, SearchBody
from dixa_state.questions.sla import Attainment, SlaAttainment, SlaEvaluation, SlaEvaluations
from dixa_state.questions.stats import Daily, DailyCounts, Statistics, Stats
from dixa_state.questions.stored import OneStoredEvent, StoredEvent, StoredEvents
from dixa_state.questions.timeline import Timeline, TimelineStep
from dixa_state.questions.transitions import (
    ConversationTransitions,
    Transition,
    TransitionCount,
    TransitionMatrix,
    Transitions,
)
from dixa_state.questions.why import Cause, Why

__all__ = [
    "Answer",
    "Attainment",
    "Ban",
    "Bans",
    "Cause",
    "Conversation",
    "ConversationTransitions",
    "Conversations",
    "Current",
    "CurrentCounts",
    "Daily",
    "DailyCounts",
    "EndUser",
    "Loss",
    "Missed",
    "OneConversation",
    "OneEndUser",
    "OneStoredEvent",
    "Operations",
    "OperationsReport",
    "Page",
    "PagedQuestion",
    "Question",
    "Reader",
    "Search",
    "SearchBody",
    "SlaAttainment",
    "SlaEvaluation",
    "SlaEvaluations",
    "Statistics",
    "Stats",
    "StoredEvent",
    "StoredEvents",
    "Timeline",
    "TimelineStep",
    "Transition",
    "TransitionCount",
    "TransitionMatrix",
    "Transitions",
    "Why",
    "describe",
]
