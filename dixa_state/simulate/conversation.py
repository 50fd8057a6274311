"""A conversation and all that can happen to it: each act makes something true and tells of it.

Every act takes the moment at which it happens and sends one webhook, whose snapshot shows the
conversation as it is after the act. Acts of one conversation come in the order of their moments;
two may share a moment only where the order of their kinds is documented.
"""

from typing import Any

from dixa_state.simulate import webhooks
from dixa_state.simulate.cast import Named, Person, encode
from dixa_state.simulate.dice import Dice
from dixa_state.simulate.staff import Agent
from dixa_state.simulate.times import written
from dixa_state.simulate.truth import Evaluation, Truth
from dixa_state.simulate.webhooks import Webhook


class Conversation:
    """A conversation as it truly is; `acts` counts what is still to come in its story."""

    __slots__ = ("_dice", "_outbox", "_shown", "acts", "agent", "truth", "waiting")

    def __init__(self, truth: Truth, dice: Dice, outbox: list[Webhook]) -> None:
        self.truth = truth
        self.agent: Agent | None = None
        self.waiting = False
        self.acts = 0
        self._dice = dice
        self._outbox = outbox
        self._shown: str | None = None

    def create(self, at: int) -> None:
        """Begin."""
        self._move("open", "CONVERSATION_CREATED", at)

    def open(self, at: int) -> None:
        """Be opened again."""
        self._move("open", "CONVERSATION_OPEN", at)

    def follow_up(self, at: int) -> None:
        """Wait for a follow-up."""
        self._move("pending", "CONVERSATION_PENDING", at)

    def expire(self, at: int, agent: Agent) -> None:
        """Open because the follow-up that an agent added ran out."""
        told = f',"pendingByUser":{agent.shown}'
        self._move("open", "CONVERSATION_PENDING_EXPIRED", at, told)

    def close(self, at: int) -> None:
        """Be closed."""
        self._move("closed", "CONVERSATION_CLOSED", at)

    def abandon(self, at: int, queue: Named) -> None:
        """End without an agent."""
        self._move("abandoned", "CONVERSATION_ABANDONED", at, f',"queue":{queue.shown}')

    def enqueue(self, at: int, queue: Named) -> None:
        """Begin to wait in a queue."""
        self.truth.wait(queue, at)
        self._change("CONVERSATION_ENQUEUED", at, f',"queue":{queue.shown}')

    def assign(self, at: int, agent: Agent) -> None:
        """Be given to an agent."""
        self._give(agent, at)
        self._change("CONVERSATION_ASSIGNED", at, f',"agent":{agent.shown}')

    def unassign(self, at: int, agent: Agent) -> None:
        """Be taken from an agent, who may have passed it on already."""
        if agent is self.agent:
            self.agent = None
            self.truth.release(at)
        self._change("CONVERSATION_UNASSIGNED", at, f',"agent":{agent.shown}')

    def transfer_to_agent(self, at: int, agent: Agent, by: Agent) -> None:
        """Be passed on to an agent, who has it from now on."""
        self.truth.transfers += 1
        self._give(agent, at)
        told = f',"agent":{agent.shown},"author":{by.shown}'
        self._change("CONVERSATION_TRANSFERRED", at, told)

    def transfer_to_queue(self, at: int, queue: Named, by: Agent) -> None:
        """Be passed on to a queue; being unassigned and enqueued follow."""
        self.truth.pass_on(queue, at)
        told = f',"queue":{queue.shown},"author":{by.shown}'
        self._change("CONVERSATION_TRANSFERRED", at, told)

    def ask(self, at: int, text: str) -> None:
        """Get a message from the customer."""
        self.waiting = True
        self.truth.ask(at)
        self._message(at, text, self.truth.requester, "inbound")

    def answer(self, at: int, text: str, author: Person) -> str:
        """Send a message to the customer; gives its id."""
        human = isinstance(author, Agent)
        self.waiting = self.waiting and not human
        self.truth.answer(at, human=human)
        return self._message(at, text, author, "outbound")

    def type(self, at: int, agent: Agent) -> None:
        """See an agent type."""
        self.truth.typing += 1
        self._send("TYPING_STARTED", at, f',"agent":{agent.shown}')

    def deliver(self, at: int, message_id: str, fate: str) -> None:
        """Learn the fate of a message that was sent."""
        self.truth.failed += fate == "FAILED"
        fqn = f"CONVERSATION_MESSAGE_DELIVERY_{fate}"
        self._send(fqn, at, f',"message_id":"{message_id}"')

    def note(self, at: int, text: str, agent: Agent) -> None:
        """Get an internal note."""
        self.truth.notes += 1
        told = webhooks.note(self._dice.uuid(), text, agent, at)
        self._send("CONVERSATION_NOTE_ADDED", at, told)

    def tag(self, at: int, tag: Named, agent: Agent) -> None:
        """Get a tag."""
        self.truth.tags[tag.name] = tag
        told = f',"tag":{encode(tag.name)},"author":{agent.shown}'
        self._change("CONVERSATION_TAG_ADDED", at, told)

    def untag(self, at: int, tag: Named, agent: Agent) -> None:
        """Lose a tag."""
        del self.truth.tags[tag.name]
        told = f',"tag":{encode(tag.name)},"author":{agent.shown}'
        self._change("CONVERSATION_TAG_REMOVED", at, told)

    def describe(self, at: int, identifier: str, value: Any) -> None:
        """Get a value of a custom attribute."""
        self.truth.attributes[identifier] = value
        told = f',"custom_attributes":{webhooks.attributes_shown(self.truth, identifier)}'
        self._change("CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED", at, told)

    def replace(self, at: int, customer: Person, by: Agent) -> None:
        """Belong to another end user."""
        old, self.truth.requester = self.truth.requester, customer
        told = f',"old_user":{old.shown},"new_user":{customer.shown},"author":{by.shown}'
        self._change("CONVERSATION_END_USER_REPLACED", at, told)

    def rate(self, at: int, kind: str, score: int, agent: Agent) -> None:
        """Be rated; once at most."""
        self.truth.rating = {
            "type": kind,
            "score": score,
            "comment": None,
            "agent": agent.document,
            "rated_at": written(at),
        }
        self._rated(at, kind, score, None, agent)

    def comment(self, at: int, text: str, agent: Agent) -> None:
        """Get a comment on the rating given before."""
        rating = self.truth.rating or {}
        rating["comment"] = text
        self._rated(at, rating["type"], rating["score"], text, agent)

    def promise(self, at: int, evaluation: Evaluation) -> None:
        """Get an SLA evaluation, whose outcome is open."""
        self.truth.sla.append(evaluation)
        self._send("SLA_EVALUATION_PENDING", at, webhooks.evaluation(evaluation))

    def settle(self, at: int, evaluation: Evaluation, outcome: str) -> None:
        """Get the outcome of an SLA evaluation: achieved, breached or voided."""
        evaluation.status, evaluation.since = outcome, at
        fqn = f"SLA_EVALUATION_{outcome.upper()}"
        self._send(fqn, at, webhooks.evaluation(evaluation))

    def _give(self, agent: Agent, at: int) -> None:
        self.agent = agent
        self.truth.hold(agent, at)

    def _message(self, at: int, text: str, author: Person, direction: str) -> str:
        message_id = self._dice.uuid()
        told = webhooks.message(
            self.truth,
            message_id=message_id,
            text=text,
            author=author,
            at=at,
            direction=direction,
        )
        self._send("CONVERSATION_MESSAGE_ADDED", at, told)
        return message_id

    def _rated(self, at: int, kind: str, score: int, text: str | None, agent: Agent) -> None:
        told = f',"agent":{agent.shown},"score":{score},"comment":{encode(text)},"type":"{kind}"'
        self._send("CONVERSATION_RATED", at, told)

    def _move(self, status: str, fqn: str, at: int, data: str = "") -> None:
        event, event_id = webhooks.topic(fqn), self._dice.uuid()
        self.truth.move(status, at, event, event_id)
        self._shown = None
        self._send(fqn, at, data, event_id, event)

    def _change(self, fqn: str, at: int, data: str) -> None:
        self._shown = None
        self._send(fqn, at, data)

    def _send(
        self, fqn: str, at: int, data: str, event_id: str | None = None, event: str = ""
    ) -> None:
        truth = self.truth
        truth.events += 1
        truth.last_event_at = at
        if self._shown is None:
            self._shown = webhooks.snapshot(truth)
        identifier = event_id or self._dice.uuid()
        body = webhooks.write(identifier, fqn, at, self._shown + data)
        self._outbox.append(Webhook(at, identifier, event, body, truth.status, truth.heard))
