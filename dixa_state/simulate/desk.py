"""The simulated support desk: who does what and when, from the first conversation to the end."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import accumulate, count
from typing import Any

from dixa_state.simulate import data
from dixa_state.simulate.conversation import Ban, Conversation
from dixa_state.simulate.data import QUEUES, Document
from dixa_state.simulate.delivery import Delivery, Sent, Simulated
from dixa_state.simulate.plan import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    STORIES,
    Chance,
    Plan,
    hour_of_week,
    timestamp,
)

FIRST_CSID = 100_001

_MARGIN = 5 * SECOND  # the webhooks of one action take a moment, and none may pass the end
_SOON = 2 * SECOND
_MOST_TAGS = 4
_KNOWN_CUSTOMERS = 400

Record = Callable[[Document], object]


def bodies(plan: Plan, record: Record | None = None) -> Iterator[Simulated]:
    """Yield the bodies of a simulation in the order in which they arrive.

    `record` is called with the truth as of the end of the plan: about each conversation when
    nothing more will happen in it, then about each ban. Memory holds the conversations that are
    not over and the bodies that are under way, not those that have arrived.
    """
    desk, delivery = SupportDesk(plan), Delivery(plan)
    for now, finished in desk.run():
        for webhook in desk.outbox:
            delivery.send(webhook)
        desk.outbox.clear()
        if finished and record:
            record(finished.closing_truth(plan.last))
        yield from delivery.arrived(now)
    yield from delivery.arrived()
    if record:
        for ban in desk.bans.values():
            record(ban.closing_truth())


def arrivals(amount: int, first: int, last: int, chance: Chance) -> Iterator[int]:
    """Yield so many moments from `first` up to `last`, in order, by the curve of the week.

    Each falls into an equal slice of the curve, so that they need not be held to be sorted.
    """
    begins = [first, *range((first // HOUR + 1) * HOUR, last, HOUR)]
    spans = [(begin, min((begin // HOUR + 1) * HOUR, last)) for begin in begins]
    weights = [data.ARRIVALS[hour_of_week(begin)] * (end - begin) for begin, end in spans]
    bounds = list(accumulate(weights))
    for number in range(amount):
        place = (number + chance.random()) / amount * bounds[-1]
        hour = min(bisect_right(bounds, place), len(bounds) - 1)
        begin, end = spans[hour]
        rest = (bounds[hour] - place) / weights[hour]
        yield min(max(begin, end - int(rest * (end - begin))), end - 1)


class SupportDesk:
    """Customers, agents and their conversations, and the agenda of what is still to happen.

    A public method is an action; it takes the conversation, the moment, and perhaps what it is
    about, and schedules what follows.
    """

    def __init__(self, plan: Plan) -> None:
        self.outbox: list[Sent] = []
        self.bans: dict[str, Ban] = {}
        self._plan = plan
        self._chance = Chance(f"story {plan.seed}")
        self._customers: list[Document] = []
        self._agenda: list[tuple[int, int, Conversation, str, tuple[Any, ...]]] = []
        self._numbers = count()

    def run(self) -> Iterator[tuple[int, Conversation | None]]:
        """Do one action after the other; yield the time, and the conversation if it is over."""
        last = self._plan.last - _MARGIN
        moments = arrivals(self._plan.conversations, self._plan.first, last, self._chance)
        for csid, at in enumerate(moments, FIRST_CSID):
            yield from self._run_until(at)
            conversation = self._begin(csid, at)
            yield at, None if conversation.scheduled else conversation
        yield from self._run_until(last)
        for conversation in dict.fromkeys(entry[2] for entry in sorted(self._agenda)):
            yield last, conversation

    def _run_until(self, last: int) -> Iterator[tuple[int, Conversation | None]]:
        while self._agenda and self._agenda[0][0] <= last:
            now, _, conversation, action, about = heappop(self._agenda)
            conversation.scheduled -= 1
            at = max(now, conversation.last_event_at + 1)
            getattr(self, action)(conversation, at, *about)
            yield now, None if conversation.scheduled else conversation

    def _schedule(self, conversation: Conversation, at: int, action: str, *about: object) -> None:
        conversation.scheduled += 1
        heappush(self._agenda, (at, next(self._numbers), conversation, action, about))

    def _begin(self, csid: int, at: int) -> Conversation:
        chance, outbound = self._chance, self._chance.happens(data.OUTBOUND)
        channel = chance.weighted(data.CHANNEL_WEIGHTS)
        beginning = {
            "csid": csid,
            "channel": channel,
            "direction": "OUTBOUND" if outbound else "INBOUND",
            "subject": chance.choice(data.SUBJECTS) if channel in data.WITH_SUBJECT else None,
            "requester": self._customer(),
        }
        conversation = Conversation(beginning, at, chance, self.outbox.append)
        conversation.has_sla_ids = not self._happens("sla_without_id")
        conversation.move(at, "open", "CREATED")
        queue = QUEUES[chance.weighted(data.QUEUE_WEIGHTS)]
        if outbound:
            self._write_to_customer(conversation, at, queue)
        else:
            self._come_in(conversation, at, queue)
        return conversation

    def _come_in(self, conversation: Conversation, at: int, queue: Document) -> None:
        channel = conversation.channel
        if channel.reply:
            conversation.ask(at, self._text("customer", channel.letters))
            if self._chance.happens(data.GREETED):
                self._schedule(conversation, at + self._chance.around(2 * SECOND), "greet")
        at += self._blink()
        self._wait(conversation, at, queue)
        self._promise(conversation, at + self._gap(), "FirstResponse")

    def _write_to_customer(self, conversation: Conversation, at: int, queue: Document) -> None:
        agent, channel = self._agent(queue), conversation.channel
        at += self._gap()
        conversation.assign(at, agent)
        if channel.reply:
            at += self._blink()
            self._answer(conversation, at, self._text("agent", channel.letters), agent)
        self._go_on(conversation, at)

    def _wait(self, conversation: Conversation, at: int, queue: Document) -> None:
        """Wait in a queue, until an agent comes or the customer leaves."""
        conversation.enqueue(at, queue)
        channel, chance = conversation.channel, self._chance
        served = self._at_work(at) + chance.around(channel.wait * SECOND)
        leaves = at + chance.around(channel.patience * SECOND)
        has_patience = conversation.truth["direction"] == "OUTBOUND" or not channel.patience
        if has_patience or served <= leaves:
            self._schedule(conversation, served, "assign")
        else:
            self._schedule(conversation, leaves, "abandon")

    def greet(self, conversation: Conversation, at: int) -> None:
        """Confirm by a robot that the message was received."""
        self._answer(conversation, at, self._text("robot", 60), data.ROBOT)

    def assign(self, conversation: Conversation, at: int) -> None:
        """Assign an agent; now and then somebody sends the conversation elsewhere instead."""
        queue = conversation.queue
        agent = self._agent(queue)
        if self._chance.happens(data.REROUTED):
            other = self._another_queue(queue)
            self._transfer(conversation, at, agent, queue=other)
            self._wait(conversation, at + self._gap(), other)
            return
        if self._chance.happens(data.HANDED_OVER):
            self._transfer(conversation, at, self._agent(queue, but=agent), agent=agent)
            at += self._gap()
        conversation.assign(at, agent)
        if not conversation.channel.reply:
            at = self._end_evaluations(conversation, at, "achieved")
        self._go_on(conversation, at)

    def abandon(self, conversation: Conversation, at: int) -> None:
        """Leave before an agent came; perhaps to try again."""
        queue, lag = conversation.truth["queue"], 0
        if self._happens("paired_ending"):
            # The status is abandoned from the first of the two on, whichever that is.
            lag, lag_of_closed = self._chance.choice(((0, self._blink()), (self._blink(), 0)))
            conversation.move(at, "abandoned", "ABANDONED", lag, queue=queue)
            conversation.send(at + lag_of_closed, "CONVERSATION_CLOSED", {})
        else:
            conversation.move(at, "abandoned", "ABANDONED", queue=queue)
        self._end_evaluations(conversation, conversation.last_event_at, "voided")
        if self._chance.happens(data.RETURNS_AFTER_ABANDONING):
            self._schedule(conversation, at + self._chance.around(2 * HOUR), "come_back")

    def _go_on(self, conversation: Conversation, at: int) -> None:
        """Schedule what happens next: agents act in their hours, customers at any."""
        channel, chance = conversation.channel, self._chance
        weights = data.WHILE_WAITING if conversation.waiting else data.WHEN_ANSWERED
        action = chance.weighted(weights if channel.reply else data.ON_THE_PHONE)
        if action == "ask":
            self._schedule(conversation, at + _SOON + chance.around(channel.answer * SECOND), "ask")
            return
        median = channel.reply if action == "reply" else 40
        if action == "reply" and chance.happens(channel.typing):
            action = "type"
        at = self._at_work(at + _SOON + chance.around(median * SECOND))
        self._schedule(conversation, at, action)

    def type(self, conversation: Conversation, at: int) -> None:
        """Type, and reply soon."""
        typing = {"agent": conversation.truth["assignee"]}
        conversation.send(at, "TYPING_STARTED", typing, counts="typing")
        self._schedule(conversation, at + _SOON + self._chance.around(20 * SECOND), "reply")

    def reply(self, conversation: Conversation, at: int) -> None:
        """Answer the customer, which achieves the running SLA evaluations."""
        text = self._text("agent", conversation.channel.letters)
        message_id = conversation.answer(at, text, conversation.truth["assignee"])
        at = self._end_evaluations(conversation, at, "achieved")
        self._report_on(conversation, at, message_id)
        self._go_on(conversation, at)

    def ask(self, conversation: Conversation, at: int) -> None:
        """Write as the customer."""
        self._go_on(conversation, self._ask(conversation, at))

    def tag(self, conversation: Conversation, at: int) -> None:
        """Add a tag, perhaps in the place of another."""
        tags, wanted = conversation.tags, self._chance.choice(data.TAGS)
        if wanted["name"] not in tags:
            if len(tags) >= _MOST_TAGS or (tags and self._chance.happens(data.SWAPS_TAG)):
                conversation.untag(at, next(iter(tags)))
                at += self._gap()
            conversation.tag(at, wanted)
        self._go_on(conversation, at)

    def untag(self, conversation: Conversation, at: int) -> None:
        """Remove a tag."""
        if conversation.tags:
            conversation.untag(at, self._chance.choice(list(conversation.tags)))
        self._go_on(conversation, at)

    def note(self, conversation: Conversation, at: int) -> None:
        """Add a note."""
        note = {"note_id": self._chance.uuid(), "text": self._text("note", 50)}
        note |= {"created_at": timestamp(at), "author": conversation.truth["assignee"]}
        conversation.send(at, "CONVERSATION_NOTE_ADDED", note, counts="notes")
        self._go_on(conversation, at)

    def describe(self, conversation: Conversation, at: int) -> None:
        """Set a custom attribute."""
        identifier = self._chance.choice(list(data.ATTRIBUTES))
        _, values = data.ATTRIBUTES[identifier]
        value = self._chance.choice(values)
        conversation.truth["custom_attributes"][identifier] = value
        changed = {"custom_attributes": [data.attribute(identifier, value)]}
        conversation.send(at, "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED", changed)
        self._go_on(conversation, at)

    def replace_requester(self, conversation: Conversation, at: int) -> None:
        """Replace the end user by another one."""
        truth, new = conversation.truth, self._new_customer()
        replaced = {"old_user": truth["requester"], "new_user": new, "author": truth["assignee"]}
        truth["requester"] = new
        conversation.send(at, "CONVERSATION_END_USER_REPLACED", replaced)
        self._go_on(conversation, at)

    def transfer_to_agent(self, conversation: Conversation, at: int) -> None:
        """Transfer to a colleague; not every transfer sends all the webhooks that it could."""
        agent = conversation.truth["assignee"]
        colleague = self._agent(conversation.queue, but=agent)
        self._transfer(conversation, at, agent, agent=colleague)
        if self._chance.happens(data.UNASSIGNED_BY_TRANSFER):
            at += self._gap()
            conversation.unassign(at, agent)
        if self._chance.happens(data.ASSIGNED_BY_TRANSFER):
            at += self._gap()
            conversation.assign(at, colleague)
        self._go_on(conversation, at)

    def transfer_to_queue(self, conversation: Conversation, at: int) -> None:
        """Transfer to another queue."""
        agent, queue = conversation.truth["assignee"], self._another_queue(conversation.queue)
        self._transfer(conversation, at, agent, queue=queue)
        at += self._gap()
        conversation.unassign(at, agent)
        self._wait(conversation, at + self._gap(), queue)

    def _transfer(self, conversation: Conversation, at: int, by: Document, **to: Document) -> None:
        conversation.transfer(at, by, terse=self._happens("terse_transfer"), **to)

    def hand_back(self, conversation: Conversation, at: int) -> None:
        """Unassign, and wait in the same queue."""
        conversation.unassign(at, conversation.truth["assignee"])
        self._wait(conversation, at + self._gap(), conversation.queue)

    def follow_up(self, conversation: Conversation, at: int) -> None:
        """Add a follow-up, until it expires, the customer is back, or all is done."""
        conversation.move(at, "pending", "PENDING")
        if self._chance.happens(data.VOIDED_BY_FOLLOW_UP):
            at = self._end_evaluations(conversation, at, "voided")
        due = at + self._chance.choice(data.FOLLOW_UPS)
        sooner = self._chance.randrange(at + MINUTE, due)
        match self._chance.weighted(data.WHILE_PENDING):
            case "expire":
                self._schedule(conversation, due, "expire", conversation.truth["assignee"])
            case "come_back":
                self._schedule(conversation, sooner, "come_back")
            case action:
                self._schedule(conversation, self._at_work(sooner), action)

    def expire(self, conversation: Conversation, at: int, agent: Document) -> None:
        """Open again because the follow-up that an agent added expired."""
        conversation.move(at, "open", "PENDING_EXPIRED", pendingByUser=agent)
        self._go_on(conversation, at)

    def close(self, conversation: Conversation, at: int) -> None:
        """Close; the SLA evaluations that still run are void."""
        conversation.move(at, "closed", "CLOSED")
        at = self._end_evaluations(conversation, at, "voided") + SECOND
        truth, chance = conversation.truth, self._chance
        if conversation.may_be_rated and chance.happens(data.RATED):
            rated_at = at + chance.around(8 * MINUTE)
            self._schedule(conversation, rated_at, "rate", truth["assignee"])
        if chance.happens(data.REOPENED):
            self._schedule(conversation, at + MINUTE + chance.around(DAY), "come_back")
        if chance.happens(data.BANNED):
            self._schedule(conversation, at + chance.around(MINUTE), "ban")

    def come_back(self, conversation: Conversation, at: int) -> None:
        """Open a conversation that had ended or was pending: the customer is there again."""
        if conversation.truth["status"] == "closed" and self._happens("second_rating"):
            conversation.may_be_rated = True
        conversation.move(at, "open", "OPEN")
        if conversation.channel.reply:
            at = self._ask(conversation, at + self._gap())
        agent = conversation.truth["assignee"]
        if agent and self._chance.happens(data.KEEPS_AGENT):
            self._go_on(conversation, at)
            return
        at += self._blink()
        if agent:
            conversation.unassign(at, agent)
            at += self._gap()
        self._wait(conversation, at, conversation.queue)

    def rate(self, conversation: Conversation, at: int, agent: Document) -> None:
        """Rate the agent, once for each closing; perhaps with a comment a little later."""
        if not conversation.may_be_rated:
            return
        conversation.may_be_rated = False
        kind = self._chance.weighted(data.RATING_WEIGHTS)
        rating = {"type": kind, "score": self._chance.choice(data.SCORES[kind]), "comment": None}
        conversation.send(at, "CONVERSATION_RATED", {"agent": agent, **rating})
        rating |= {"agent": data.truth_of(agent), "rated_at": timestamp(at)}
        conversation.truth["ratings"].append(rating)
        if self._chance.happens(data.COMMENTED):
            at += SECOND + self._chance.around(30 * SECOND)
            self._schedule(conversation, at, "comment", agent, rating)

    def comment(self, conversation: Conversation, at: int, agent: Document, rating: Any) -> None:
        """Comment on a rating, unless there is a newer one."""
        if rating is conversation.truth["ratings"][-1]:
            rating["comment"] = self._chance.choice(data.COMMENTS)
            shown = {name: rating[name] for name in ("type", "score", "comment")}
            conversation.send(at, "CONVERSATION_RATED", {"agent": agent, **shown})

    def ban(self, conversation: Conversation, at: int) -> None:
        """Ban the end user or their address; perhaps not for ever."""
        requester, chance = conversation.truth["requester"], self._chance
        if conversation.truth["channel"] == "WIDGET_CHAT" or chance.happens(data.BANNED_BY_IP):
            new = Ban("ip", self._address(), None, self.outbox.append)
        else:
            new = Ban("enduser", requester["id"], requester, self.outbox.append)
        ban = self.bans.setdefault(new.truth["id"], new)
        ban.change(at, chance.choice(data.AGENTS), chance.uuid(), banned=True)
        if chance.happens(data.BAN_LIFTED):
            self._schedule(conversation, at + MINUTE + chance.around(DAY), "unban", ban)

    def unban(self, _conversation: Conversation, at: int, ban: Ban) -> None:
        """Unban, not always by who banned."""
        ban.change(at, self._chance.choice(data.AGENTS), self._chance.uuid(), banned=False)

    def _ask(self, conversation: Conversation, at: int) -> int:
        conversation.ask(at, self._text("customer", conversation.channel.letters))
        at += self._gap()
        self._promise(conversation, at, "NextResponse")
        return at

    def _promise(self, conversation: Conversation, at: int, metric: str) -> None:
        """Begin an SLA evaluation, if none of this metric runs; it ends by its deadline."""
        running = {item["metric"] for item in conversation.running_evaluations()}
        if metric in running or not self._chance.happens(data.PROMISED[metric]):
            return
        policy = conversation.channel.policy
        first, following = data.POLICIES[policy]
        deadline = at + int((first if metric == "FirstResponse" else following) * HOUR)
        identifier = self._chance.uuid() if conversation.has_sla_ids else None
        evaluation: Document = {"id": identifier, "policy": policy, "metric": metric}
        evaluation["deadline"] = timestamp(deadline)
        conversation.evaluate(at, evaluation, "pending")
        self._schedule(conversation, deadline, "breach", evaluation)

    def _end_evaluations(self, conversation: Conversation, at: int, outcome: str) -> int:
        """End the SLA evaluations that run, and return when that is done."""
        ended = conversation.running_evaluations()
        if outcome == "achieved":
            ended += conversation.late_evaluations
            conversation.late_evaluations.clear()
        for evaluation in ended:
            at += self._gap()
            conversation.evaluate(at, evaluation, outcome)
        return at

    def breach(self, conversation: Conversation, at: int, evaluation: Document) -> None:
        """Breach an SLA evaluation that still runs; perhaps it is achieved nevertheless."""
        if evaluation["status"] != "pending":
            return
        conversation.evaluate(at, evaluation, "breached")
        # Without an id, a late achievement would be one of the next evaluation of the metric.
        if conversation.has_sla_ids and self._happens("late_achievement"):
            conversation.late_evaluations.append(evaluation)

    def _answer(self, conversation: Conversation, at: int, text: str, author: Document) -> None:
        self._report_on(conversation, at, conversation.answer(at, text, author))

    def _report_on(self, conversation: Conversation, at: int, message_id: str) -> None:
        if conversation.truth["channel"] in data.WITH_REPORTS:
            for fate in self._chance.weighted(data.REPORTS):
                at += 1 + self._chance.around(data.REPORT_DELAYS.get(fate, SECOND))
                self._schedule(conversation, at, "report", message_id, fate)

    def report(self, conversation: Conversation, at: int, message_id: str, fate: str) -> None:
        """Report on the delivery of a message."""
        counts = "deliveries_failed" if fate == "FAILED" else ""
        fqn = f"CONVERSATION_MESSAGE_DELIVERY_{fate}"
        conversation.send(at, fqn, {"message_id": message_id}, counts=counts)

    def _happens(self, story: str) -> bool:
        return story in self._plan.stories and self._chance.happens(STORIES[story])

    def _at_work(self, at: int) -> int:
        """Return `at`, or a moment after agents have come to work again."""
        begins = at
        while hour_of_week(begins) not in data.WORKING_HOURS:
            begins = (begins // HOUR + 1) * HOUR
        return at if begins == at else begins + self._chance.around(10 * MINUTE)

    def _agent(self, queue: Document, but: Document | None = None) -> Document:
        return self._chance.choice([one for one in data.TEAMS[queue["name"]] if one is not but])

    def _another_queue(self, queue: Document) -> Document:
        return self._chance.choice([other for other in QUEUES if other is not queue])

    def _customer(self) -> Document:
        if self._customers and self._chance.happens(data.RETURNING_CUSTOMER):
            return self._chance.choice(self._customers)
        return self._new_customer()

    def _new_customer(self) -> Document:
        chance, number = self._chance, self._chance.randrange(1, 1_000)
        name = f"{chance.choice(data.FIRST_NAMES)} {chance.choice(data.LAST_NAMES)}"
        address = f"{name}{number}@{chance.choice(data.MAIL_DOMAINS)}".lower().translate(data.ASCII)
        phone = f"+447700900{number:03}" if chance.happens(0.5) else None
        customer = data.user(name, address, "Contact", id=chance.uuid(), phone=phone)
        self._customers = [*self._customers[-_KNOWN_CUSTOMERS:], customer]
        return customer

    def _address(self) -> str:
        return f"{self._chance.choice(data.NETWORKS)}{self._chance.randrange(1, 100)}"

    def _text(self, voice: str, letters: int) -> str:
        """Return sentences of about this length."""
        sentences = 1 + self._chance.around(letters) // 45
        return " ".join(self._chance.choices(data.TEXTS[voice], k=sentences))

    def _gap(self) -> int:
        """Return the time between two webhooks of one action; often they share a millisecond."""
        return 0 if self._chance.happens(data.SAME_MILLISECOND) else self._blink()

    def _blink(self) -> int:
        return self._chance.randrange(5, 150)
