"""How a webhook is written: the envelope, the conversation as it is, and what the event tells."""

from typing import NamedTuple

from dixa_state.simulate.cast import ORGANIZATION, Person, encode, identify
from dixa_state.simulate.heard import Heard
from dixa_state.simulate.times import written
from dixa_state.simulate.truth import Evaluation, Truth

_ORGANIZATION = encode(ORGANIZATION)
_TAIL = f'"organization":{_ORGANIZATION},"data":{{'
_ATTRIBUTES = {
    identifier: f'"id":"{identify(name)}","identifier":"{identifier}","name":"{name}"'
    for identifier, name in (
        ("order_number", "Order number"),
        ("product", "Product"),
        ("items", "Items"),
        ("country", "Country"),
    )
}
_CONTENT = '"content_type":"Text","original_content_url":null,"processed_content_url":null'


class Webhook(NamedTuple):
    """A body and what delivering it must know: of which status it tells, or which one it shows."""

    at: int
    event_id: str
    event: str
    body: bytes
    status: str
    heard: Heard | None


def write(event_id: str, fqn: str, at: int, data: str) -> bytes:
    """Write a whole body."""
    return (
        f'{{"event_id":"{event_id}","event_fqn":"{fqn}","event_version":"1",'
        f'"event_timestamp":"{written(at)}",{_TAIL}{data}}}}}'
    ).encode()


def topic(fqn: str) -> str:
    """Give the name under which a transition of a conversation names its event."""
    return fqn.lower().replace("_", ".", 1)


def snapshot(truth: Truth) -> str:
    """Write the conversation as it is."""
    queue, assignee = truth.queue, truth.assignee
    subject = "null" if truth.subject is None else encode(truth.subject)
    tags = ",".join(tag.shown for tag in truth.tags.values())
    attributes = f',"custom_attributes":{attributes_shown(truth)}' if truth.attributes else ""
    return (
        f'"conversation":{{"csid":{truth.csid},"channel":"{truth.channel}",'
        f'"status":"{truth.dixa_status}","direction":"{truth.direction}",'
        f'"queue":{queue.shown if queue else "null"},'
        f'"contact_point":"{truth.contact_point}","requester":{truth.requester.shown},'
        f'"assignee":{assignee.shown if assignee else "null"},"subject":{subject},'
        f'"tags":[{tags}],"created_at":"{written(truth.created_at)}"{attributes}}}'
    )


def attributes_shown(truth: Truth, only: str | None = None) -> str:
    """Write the custom attributes, or one of them."""
    shown = (
        f'{{{_ATTRIBUTES[name]},"value":{encode(value)}}}'
        for name, value in truth.attributes.items()
        if only in (None, name)
    )
    return f"[{','.join(shown)}]"


def message(  # noqa: PLR0913 — a message has that many parts
    truth: Truth, *, message_id: str, text: str, author: Person, at: int, direction: str
) -> str:
    """Write what a message event tells; the text comes as JSON without its quotation marks."""
    return (
        f',"message_id":"{message_id}","text":"{text}","created_at":"{written(at)}",'
        f'"direction":"{direction}","channel":"{truth.channel}","author":{author.shown},'
        f'"content":{{"text":"{text}",{_CONTENT}}},"attachments":[],"external_id":null'
    )


def note(note_id: str, text: str, author: Person, at: int) -> str:
    """Write what a note event tells."""
    return (
        f',"note_id":"{note_id}","text":"{text}","created_at":"{written(at)}",'
        f'"author":{author.shown}'
    )


def evaluation(item: Evaluation) -> str:
    """Write what an SLA event tells."""
    return (
        f',"sla_evaluation":{{"id":"{item.id}","policy":{item.policy.shown},'
        f'"metric":"{item.metric}","deadline":"{written(item.deadline)}"}}'
    )
