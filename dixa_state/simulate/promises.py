"""What runs beside the talk: SLA evaluations with their deadlines, and reports on messages."""

from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.dice import Weighted
from dixa_state.simulate.stage import Stage, channel_of
from dixa_state.simulate.times import MINUTE, SECOND
from dixa_state.simulate.truth import Evaluation

Reports = tuple[str, tuple[str, ...]]

_PROMISED = {"FirstResponse": 0.75, "NextResponse": 0.35}
_FATES: Weighted[tuple[str, ...]] = Weighted(
    {
        ("SENT", "DELIVERED", "SEEN"): 22,
        ("SENT", "DELIVERED"): 26,
        ("SENT",): 8,
        ("SENT", "FAILED"): 2,
        ("SENT", "INFO", "DELIVERED"): 1,
        ("SENT", "DELIVERED", "SPAM_COMPLAINT"): 0.5,
        ("FAILED",): 0.5,
        (): 40,
    }
)
_DELAYS = {"SEEN": 4 * MINUTE, "SPAM_COMPLAINT": 30 * MINUTE}


def promise(stage: Stage, conversation: Conversation, at: int, metric: str) -> None:
    """Begin an SLA evaluation, if one is meant to be and none of this kind runs."""
    running = {item.metric for item in conversation.truth.sla if item.status == "pending"}
    if metric in running or not stage.dice.chance(_PROMISED[metric]):
        return
    channel = channel_of(conversation)
    allowed = channel.first if metric == "FirstResponse" else channel.following
    identifier = stage.dice.uuid()
    evaluation = Evaluation(identifier, channel.policy, metric, at, at + allowed)
    conversation.promise(at, evaluation)
    stage.then(conversation, at + allowed, "breach", evaluation)


def settle(stage: Stage, conversation: Conversation, at: int, outcome: str) -> int:
    """End the SLA evaluations that run, right after what decides them; gives when that is done."""
    for evaluation in conversation.truth.sla:
        if evaluation.status == "pending":
            at += stage.gap()
            conversation.settle(at, evaluation, outcome)
    return at


def breach(_stage: Stage, conversation: Conversation, at: int, evaluation: Evaluation) -> None:
    """Break a promise, unless it was kept or is void."""
    if evaluation.status == "pending":
        conversation.settle(at, evaluation, "breached")


def report(stage: Stage, conversation: Conversation, at: int, message_id: str) -> None:
    """Decide the fate of a message that was sent."""
    if channel_of(conversation).has_reports and (fates := _FATES.pick(stage.dice)):
        _next_report(stage, conversation, at, (message_id, fates))


def deliver(stage: Stage, conversation: Conversation, at: int, reports: Reports) -> None:
    """Report on a message."""
    message_id, fates = reports
    conversation.deliver(at, message_id, fates[0])
    if fates[1:]:
        _next_report(stage, conversation, at, (message_id, fates[1:]))


def _next_report(stage: Stage, conversation: Conversation, at: int, reports: Reports) -> None:
    delay = stage.dice.about(_DELAYS.get(reports[1][0], SECOND))
    stage.then(conversation, at + delay, "deliver", reports)
