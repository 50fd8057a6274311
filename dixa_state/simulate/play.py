"""The play: conversations begin, acts follow one another, and what they send is delivered."""

from collections.abc import Callable, Iterator
from typing import Any

from dixa_state.simulate import entering, leaving, promises, telling, working
from dixa_state.simulate.arrivals import arrivals
from dixa_state.simulate.cast import Document
from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.delivery import Delivery, Simulated
from dixa_state.simulate.plan import Plan
from dixa_state.simulate.stage import ActName, Entry, Stage
from dixa_state.simulate.times import SECOND

Tell = Callable[[Document], object]

FIRST_CSID = 100_001

_MARGIN = 5 * SECOND  # the webhooks of one action take a moment, and none may pass the end
_ACTS: dict[ActName, Callable[[Stage, Conversation, int, Any], None]] = {
    "abandon": entering.abandon,
    "ask": working.ask,
    "assign": entering.assign,
    "ban": leaving.ban,
    "breach": promises.breach,
    "close": leaving.close,
    "come_back": entering.come_back,
    "comment": leaving.comment,
    "deliver": promises.deliver,
    "describe": working.describe,
    "expire": working.expire,
    "follow_up": working.follow_up,
    "greet": entering.greet,
    "hand_back": leaving.hand_back,
    "note": working.note,
    "rate": leaving.rate,
    "replace": working.replace,
    "reply": working.reply,
    "tag": working.tag,
    "transfer_to_agent": working.transfer_to_agent,
    "transfer_to_queue": leaving.transfer_to_queue,
    "type": working.type_,
    "unban": leaving.unban,
    "untag": working.untag,
}


def bodies(plan: Plan, tell: Tell | None = None) -> Iterator[Simulated]:
    """Simulate: give the bodies in the order in which they arrive.

    `tell` is called with the truth, as of the end of the plan: with each conversation when its
    story is over, then with each ban. Memory holds the conversations that are not over and the
    bodies that are under way, not those that have arrived.
    """
    stage, delivery = Stage(f"story {plan.seed}"), Delivery(plan)
    for now, over in _perform(stage, plan):
        for webhook in stage.outbox:
            delivery.take(webhook)
        stage.outbox.clear()
        if over and tell:
            tell(telling.conversation(over.truth, plan.last))
        yield from delivery.due(now)
    yield from delivery.rest()
    if tell:
        for ban in stage.bans:
            tell(ban.document())


def _perform(stage: Stage, plan: Plan) -> Iterator[tuple[int, Conversation | None]]:
    """Play act by act: give the moment and, if its story is over, the conversation."""
    curtain = plan.last - _MARGIN
    moments = arrivals(plan.conversations, plan.first, curtain, stage.dice)
    for csid, at in enumerate(moments, FIRST_CSID):
        for entry in stage.until(at):
            yield _play(stage, entry)
        begun = entering.begin(stage, csid, at)
        yield at, None if begun.acts else begun
    for entry in stage.until(curtain):
        yield _play(stage, entry)
    for conversation in stage.unfinished():
        yield curtain, conversation


def _play(stage: Stage, entry: Entry) -> tuple[int, Conversation | None]:
    """Play an act, later than what has happened in its conversation, even if they coincide."""
    conversation = entry.conversation
    at = max(entry.at, conversation.truth.last_event_at + 1)
    _ACTS[entry.act](stage, conversation, at, entry.about)
    return entry.at, None if conversation.acts else conversation
