"""What an agent and a customer do, one thing after the other, until the conversation is closed."""

from collections.abc import Callable
from typing import Any

from dixa_state.simulate.cast import TAGS
from dixa_state.simulate.conversation import Conversation
from dixa_state.simulate.dice import Dice, Weighted
from dixa_state.simulate.promises import promise, report, settle
from dixa_state.simulate.staff import Agent
from dixa_state.simulate.stage import ActName, Stage, agent_of, channel_of
from dixa_state.simulate.times import DAY, HOUR, MINUTE, SECOND

_SOON = 2 * SECOND
_LONGEST_TAGGED = 4

_CUSTOMER_WAITS: Weighted[ActName] = Weighted(
    {
        "reply": 74,
        "tag": 7,
        "note": 4,
        "describe": 4,
        "transfer_to_queue": 3,
        "transfer_to_agent": 2,
        "hand_back": 1,
        "replace": 0.7,
    }
)
_ANSWERED: Weighted[ActName] = Weighted(
    {
        "close": 27,
        "ask": 38,
        "tag": 10,
        "follow_up": 9,
        "note": 6,
        "describe": 6,
        "untag": 2,
        "transfer_to_queue": 1,
        "transfer_to_agent": 1,
        "replace": 0.7,
        "ban": 0.4,
    }
)
_ON_THE_PHONE: Weighted[ActName] = Weighted(
    {
        "close": 36,
        "note": 24,
        "tag": 17,
        "describe": 10,
        "follow_up": 5,
        "transfer_to_queue": 4,
        "transfer_to_agent": 3,
        "replace": 1,
    }
)
_PENDING: Weighted[ActName] = Weighted({"expire": 50, "come_back": 35, "close": 15})
_ATTRIBUTES: dict[str, Callable[[Dice], Any]] = {
    "order_number": lambda dice: f"AU-{dice.between(1_000, 99_999)}",
    "product": lambda dice: dice.pick(("Tent", "Jacket", "Sleeping bag", "Stove", "Boots")),
    "items": lambda dice: dice.between(1, 12),
    "country": lambda dice: dice.pick(("DK", "NO", "SE", "DE", "GB")),
}
_IDENTIFIERS = tuple(_ATTRIBUTES)


def go_on(stage: Stage, conversation: Conversation, at: int) -> None:
    """Choose what happens next, and when: agents work in their hours, customers at any."""
    channel, dice = channel_of(conversation), stage.dice
    if not channel.has_messages:
        act = _ON_THE_PHONE.pick(dice)
    else:
        act = (_CUSTOMER_WAITS if conversation.waiting else _ANSWERED).pick(dice)
    if act == "ask":
        stage.then(conversation, at + _SOON + dice.about(channel.answer), act)
        return
    if act == "reply" and dice.chance(channel.typing):
        act = "type"
    median = channel.reply if act in ("reply", "type") else 40 * SECOND
    stage.then(conversation, at_work(stage, conversation, at + _SOON + dice.about(median)), act)


def at_work(stage: Stage, conversation: Conversation, at: int) -> int:
    """Give the first moment from `at` on at which the agent is at work."""
    resumes = conversation.agent.rota.resume(at) if conversation.agent else at
    return resumes if resumes == at else resumes + stage.dice.about(10 * MINUTE)


def type_(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Type, and reply soon."""
    conversation.type(at, agent_of(conversation))
    stage.then(conversation, at + _SOON + stage.dice.about(20 * SECOND), "reply")


def reply(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Answer the customer, which keeps what was promised."""
    text = stage.say("agent", channel_of(conversation).letters)
    message_id = conversation.answer(at, text, agent_of(conversation))
    at = settle(stage, conversation, at, "achieved")
    report(stage, conversation, at, message_id)
    go_on(stage, conversation, at)


def ask(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Write as a customer."""
    conversation.ask(at, stage.say("customer", channel_of(conversation).letters))
    at += stage.gap()
    promise(stage, conversation, at, "NextResponse")
    go_on(stage, conversation, at)


def tag(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Put a tag on, perhaps in the place of another."""
    tags, agent = conversation.truth.tags, agent_of(conversation)
    wanted = stage.dice.pick(TAGS)
    if wanted.name not in tags:
        if len(tags) >= _LONGEST_TAGGED or (tags and stage.dice.chance(0.2)):
            conversation.untag(at, next(iter(tags.values())), agent)
            at += stage.gap()
        conversation.tag(at, wanted, agent)
    go_on(stage, conversation, at)


def untag(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Take a tag off."""
    tags = conversation.truth.tags
    if tags:
        wrong = stage.dice.pick(tuple(tags.values()))
        conversation.untag(at, wrong, agent_of(conversation))
    go_on(stage, conversation, at)


def note(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Write a note."""
    conversation.note(at, stage.say("note", 50), agent_of(conversation))
    go_on(stage, conversation, at)


def describe(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Fill in a custom attribute."""
    identifier = stage.dice.pick(_IDENTIFIERS)
    conversation.describe(at, identifier, _ATTRIBUTES[identifier](stage.dice))
    go_on(stage, conversation, at)


def replace(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Find out that it is another end user who writes."""
    conversation.replace(at, stage.customers.new(), agent_of(conversation))
    go_on(stage, conversation, at)


def transfer_to_agent(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Pass the conversation on to a colleague; not every action sends all its webhooks."""
    agent, dice = agent_of(conversation), stage.dice
    queue = conversation.truth.queue or agent.queues[0]
    colleague = stage.staff.someone(queue, at, dice, but=agent)
    conversation.transfer_to_agent(at, colleague, agent)
    if dice.chance(0.4):
        at += stage.gap()
        conversation.unassign(at, agent)
    if dice.chance(0.8):
        at += stage.gap()
        conversation.assign(at, colleague)
    go_on(stage, conversation, at)


def follow_up(stage: Stage, conversation: Conversation, at: int, _about: object) -> None:
    """Put the conversation aside: until the time is up, the customer is back, or all is done."""
    conversation.follow_up(at)
    dice, agent = stage.dice, agent_of(conversation)
    if dice.chance(0.3):
        at = settle(stage, conversation, at, "voided")
    due = at + dice.pick((HOUR, 4 * HOUR, DAY, 2 * DAY))
    sooner = at + MINUTE + dice.between(0, due - at - MINUTE)
    match _PENDING.pick(dice):
        case "expire":
            stage.then(conversation, due, "expire", agent)
        case "come_back":
            stage.then(conversation, sooner, "come_back")
        case act:
            stage.then(conversation, at_work(stage, conversation, sooner), act)


def expire(stage: Stage, conversation: Conversation, at: int, agent: Agent) -> None:
    """Let the follow-up that an agent added run out."""
    conversation.expire(at, agent)
    go_on(stage, conversation, at)
