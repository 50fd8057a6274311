"""How a conversation leaves an agent: for a queue, or for good; and what comes afterwards."""

from dixa_state.simulate.bans import Ban
from dixa_state.simulate.cast import QUEUES, address
from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.entering import another_queue, wait
from dixa_state.simulate.promises import settle
from dixa_state.simulate.prose import COMMENTS
from dixa_state.simulate.staff import Agent
from dixa_state.simulate.stage import Stage, agent_of
from dixa_state.simulate.times import DAY, MINUTE, SECOND

_RATED = 0.22
_COMMENTED = 0.4
_REOPENED = 0.09
_BANNED = 0.02
_LIFTED = 0.4
_SCORES = {
    "Csat": (5, 5, 5, 4, 4, 3, 2, 1),
    "Nps": (10, 9, 9, 8, 7, 5, 2),
    "ThumbsUpOrDown": (1, 0),
}
_KINDS = ("Csat", "Csat", "Csat", "Nps", "ThumbsUpOrDown")


def transfer_to_queue(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Pass the conversation on to another queue."""
    agent = agent_of(conversation)
    queue = another_queue(stage.dice, conversation.truth.queue or QUEUES[0])
    conversation.transfer_to_queue(at, queue, agent)
    at += stage.gap()
    conversation.unassign(at, agent)
    wait(stage, conversation, at + stage.gap(), queue)


def hand_back(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Put the conversation back into its queue."""
    agent = agent_of(conversation)
    conversation.unassign(at, agent)
    wait(stage, conversation, at + stage.gap(), conversation.truth.queue or QUEUES[0])


def close(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Close; what was promised and is not due any more is void."""
    conversation.close(at)
    at = settle(stage, conversation, at, "voided")
    dice, agent = stage.dice, agent_of(conversation)
    if conversation.truth.rating is None and dice.chance(_RATED):
        stage.then(conversation, at + SECOND + dice.about(8 * MINUTE), "rate", agent)
    if dice.chance(_REOPENED):
        stage.then(conversation, at + MINUTE + dice.about(DAY), "come_back")
    if dice.chance(_BANNED):
        stage.then(conversation, at + SECOND + dice.about(MINUTE), "ban")


def rate(stage: Stage, conversation: Conversation, at: int, agent: Agent) -> None:
    """Rate the agent, once; perhaps with a comment a little later."""
    if conversation.truth.rating is not None:
        return
    kind = stage.dice.pick(_KINDS)
    conversation.rate(at, kind, stage.dice.pick(_SCORES[kind]), agent)
    if stage.dice.chance(_COMMENTED):
        stage.then(conversation, at + SECOND + stage.dice.about(30 * SECOND), "comment", agent)


def comment(stage: Stage, conversation: Conversation, at: int, agent: Agent) -> None:
    """Comment on the rating given before."""
    conversation.comment(at, stage.dice.pick(COMMENTS), agent)


def ban(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Ban the end user or their address; perhaps not for ever."""
    requester, dice = conversation.truth.requester, stage.dice
    by_address = conversation.truth.channel == "WIDGET_CHAT" or dice.chance(0.3)
    item = stage.bans.of_ip(address(dice)) if by_address else stage.bans.of_end_user(requester)
    agent = conversation.agent or dice.pick(stage.staff.agents)
    stage.bans.change(at, item, agent, banned=True)
    if dice.chance(_LIFTED):
        stage.then(conversation, at + MINUTE + dice.about(DAY), "unban", item)


def unban(stage: Stage, _conversation: Conversation, at: int, item: Ban) -> None:
    """Lift a ban; not always who laid it does."""
    stage.bans.change(at, item, stage.dice.pick(stage.staff.agents), banned=False)
