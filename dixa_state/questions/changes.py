"""What has changed since a position: what a live stream follows, in the order of the store."""

from typing import Any

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.errors import InvalidInputError
from dixa_state.views.generations import Connection

MAX_CHANGES = 1_000
_MAX_POSITION = MAX_CSID  # both are numbers of 64 bits to the databases

CONVERSATIONS = (
    "SELECT state FROM conversations WHERE position > :position ORDER BY position LIMIT :limit"
)
BANS = "SELECT state FROM bans WHERE position > :position ORDER BY position LIMIT :limit"


def changed_states(connection: Connection, sql: str, position: int, limit: int) -> list[bytes]:
    """Give the states of the rows after a position, the one that changed longest ago first.

    Raises `InvalidInputError` for a limit that is not from 1 to 1,000.
    """
    if not 1 <= limit <= MAX_CHANGES:
        raise InvalidInputError(f"limit: expected 1 to {MAX_CHANGES}, got {limit}")
    after: dict[str, Any] = {"position": max(-1, min(position, _MAX_POSITION)), "limit": limit}
    return [bytes(state) for (state,) in connection.run(sql, **after)]
