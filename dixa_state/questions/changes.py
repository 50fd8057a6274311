"""What has changed since a position, and how far store and views are: what a service follows."""

from typing import NamedTuple

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.states import decode_conversation
from dixa_state.errors import SchemaError
from dixa_state.questions.reader import Reader
from dixa_state.store.events import decode_state

CHANGED = (
    "SELECT state FROM conversations WHERE position > :position ORDER BY position LIMIT :limit"
)


class Health(NamedTuple):
    """Where the store and the views are; `last_event_age` in seconds since it was received.

    `outdated` says that the views are of another version, and how to make them anew.
    """

    store_position: int
    last_event_age: float | None
    views_position: int | None = None
    lag: int | None = None
    poison: int | None = None
    outdated: str | None = None


def health(reader: Reader) -> Health:
    """Return how far store and views are, and how many events could not be folded."""
    newest = reader.newest()
    recorder = reader.tracker.event_recorder
    stored = recorder.select_notifications(newest, 1) if newest else []
    age = reader.now() - decode_state(stored[0].state).received_at if stored else None
    seconds = None if age is None else max(age.total_seconds(), 0.0)
    try:
        with reader.moment() as (connection, at):
            poison = connection.run(reader.views.statement("poison_count"))[0][0]
    except SchemaError as error:
        return Health(newest, seconds, outdated=str(error))
    return Health(newest, seconds, at.position, max(newest - at.position, 0), poison)


def changed_conversations(reader: Reader, position: int, limit: int) -> list[Conversation]:
    """Return conversations whose newest event came after a position, in the order of those.

    Each is as it is now. To follow on, ask again with the position of the last one: a change shows
    when the views have reached it, and never before one of a smaller position.
    """
    with reader.moment() as (connection, _):
        found = connection.run(CHANGED, position=position, limit=limit)
    return [decode_conversation(bytes(state)) for (state,) in found]
