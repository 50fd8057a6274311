"""How a conversation begins, waits in a queue, and finds an agent or not."""

from dixa_state.simulate.cast import QUEUES, ROBOT, Named
from dixa_state.simulate.channels import CHANNELS, SHARES
from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.dice import Dice, Weighted
from dixa_state.simulate.promises import promise, report, settle
from dixa_state.simulate.prose import SUBJECTS
from dixa_state.simulate.stage import Stage, channel_of
from dixa_state.simulate.times import HOUR, MINUTE, SECOND
from dixa_state.simulate.truth import Truth
from dixa_state.simulate.working import go_on

_OUTBOUND = 0.07
_GREETED = 0.3
_REROUTED = 0.03
_HANDED_OVER = 0.05
_COMES_BACK = 0.15
_QUEUES = Weighted(dict(zip(QUEUES, (40, 15, 20, 15, 10), strict=True)))


def begin(stage: Stage, csid: int, at: int) -> Conversation:
    """Begin a conversation: the customer does, or an agent."""
    outbound = stage.dice.chance(_OUTBOUND)
    conversation = _new(stage, csid, at, "OUTBOUND" if outbound else "INBOUND")
    if outbound:
        _write_to_customer(stage, conversation, at)
    else:
        _come_in(stage, conversation, at)
    return conversation


def wait(stage: Stage, conversation: Conversation, at: int, queue: Named) -> None:
    """Wait in a queue until an agent comes, or until the customer has had enough of it."""
    conversation.enqueue(at, queue)
    channel, dice = channel_of(conversation), stage.dice
    opens = stage.staff.opens(queue, at)
    served = opens + dice.about(channel.wait) + (opens > at) * dice.about(10 * MINUTE)
    patient = channel.patience is None or conversation.truth.direction == "OUTBOUND"
    leaves = served + 1 if patient else at + dice.about(channel.patience or 0)
    if leaves < served:
        stage.then(conversation, leaves, "abandon")
    else:
        stage.then(conversation, served, "assign")


def assign(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Find an agent; now and then somebody sends the conversation elsewhere instead."""
    queue = conversation.truth.queue or QUEUES[0]
    agent = stage.staff.someone(queue, at, stage.dice)
    if stage.dice.chance(_REROUTED):
        other = another_queue(stage.dice, queue)
        conversation.transfer_to_queue(at, other, agent)
        wait(stage, conversation, at + stage.gap(), other)
        return
    if stage.dice.chance(_HANDED_OVER):
        by = stage.staff.someone(queue, at, stage.dice, but=agent)
        conversation.transfer_to_agent(at, agent, by)
        at += stage.gap()
    conversation.assign(at, agent)
    if not channel_of(conversation).has_messages:
        at = settle(stage, conversation, at, "achieved")
    go_on(stage, conversation, at)


def abandon(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Leave before an agent came; perhaps to try again."""
    conversation.abandon(at, conversation.truth.queue or QUEUES[0])
    settle(stage, conversation, at, "voided")
    if stage.dice.chance(_COMES_BACK):
        stage.then(conversation, at + stage.dice.about(2 * HOUR), "come_back")


def come_back(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Open a conversation that had ended or was pending, because the customer is there again."""
    conversation.open(at)
    if channel_of(conversation).has_messages:
        at = _ask(stage, conversation, at + stage.gap())
    agent, queue = conversation.agent, conversation.truth.queue or QUEUES[0]
    if agent is not None and stage.dice.chance(0.75):
        go_on(stage, conversation, at)
        return
    at += stage.blink()
    if agent is not None:
        conversation.unassign(at, agent)
        at += stage.gap()
    wait(stage, conversation, at, queue)


def greet(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Let the robot say that the message was received."""
    report(stage, conversation, at, conversation.answer(at, stage.say("robot", 60), ROBOT))


def another_queue(dice: Dice, queue: Named) -> Named:
    """Choose a queue other than this one."""
    return dice.pick([other for other in QUEUES if other is not queue])


def _new(stage: Stage, csid: int, at: int, direction: str) -> Conversation:
    channel = CHANNELS[SHARES.pick(stage.dice)]
    truth = Truth(
        csid=csid,
        channel=channel.name,
        direction=direction,
        contact_point=channel.contact_point,
        subject=stage.dice.pick(SUBJECTS) if channel.has_subject else None,
        requester=stage.customers.someone(),
        at=at,
    )
    conversation = Conversation(truth, stage.dice, stage.outbox)
    conversation.create(at)
    return conversation


def _come_in(stage: Stage, conversation: Conversation, at: int) -> None:
    channel = channel_of(conversation)
    if channel.has_messages:
        conversation.ask(at, stage.say("customer", channel.letters))
        if stage.dice.chance(_GREETED):
            stage.then(conversation, at + stage.dice.about(2 * SECOND), "greet")
    at += stage.blink()
    wait(stage, conversation, at, _QUEUES.pick(stage.dice))
    promise(stage, conversation, at + stage.gap(), "FirstResponse")


def _write_to_customer(stage: Stage, conversation: Conversation, at: int) -> None:
    agent = stage.staff.someone(_QUEUES.pick(stage.dice), at, stage.dice)
    at += stage.gap()
    conversation.assign(at, agent)
    if channel_of(conversation).has_messages:
        at += stage.blink()
        text = stage.say("agent", channel_of(conversation).letters)
        report(stage, conversation, at, conversation.answer(at, text, agent))
    go_on(stage, conversation, at)


def _ask(stage: Stage, conversation: Conversation, at: int) -> int:
    conversation.ask(at, stage.say("customer", channel_of(conversation).letters))
    at += stage.gap()
    promise(stage, conversation, at, "NextResponse")
    return at
