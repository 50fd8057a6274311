"""One end user, as bans and conversations tell of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from dixa_state.domain.bans import Ban
from dixa_state.domain.events import User
from dixa_state.domain.states import decode_ban, decode_conversation
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import AmbiguousError, NotFoundError
from dixa_state.questions.conditions import Condition, OneOf, Parameters, where
from dixa_state.questions.filters import as_stored, of_conversation
from dixa_state.views.generations import Connection
from dixa_state.views.tables import from_micros

OF_REQUESTER = (
    "SELECT t.organization_id, t.status, count(*), min(t.created_at), max(t.last_event_at) "
    "FROM conversations AS t WHERE {where} GROUP BY t.organization_id, t.status"
)
NEWEST = (
    "SELECT t.state FROM conversations AS t WHERE {where} "
    "ORDER BY t.last_event_at DESC, t.stream DESC LIMIT 1"
)
BANS = "SELECT t.state FROM bans AS t WHERE {where}"


class EndUser(NamedTuple):
    """An end user: whether they are banned, and the conversations that they are requester of.

    `user` is the requester as the conversation that moved last shows them; `ban` is None where
    none was ever laid. `conversations` counts by status; the times are those of the earliest
    creation and of the newest event, None without a conversation.
    """

    organization_id: str | None
    id: str
    user: User | None
    ban: Ban | None
    conversations: dict[str | None, int]
    first_created_at: datetime | None
    last_event_at: datetime | None


def find_enduser(connection: Connection, key: str, organization: str | None) -> EndUser:
    """Put together what is known of an end user, by the id, or by what stands for a missing one.

    Raises `NotFoundError` if no ban and no conversation tells of them, and `AmbiguousError` if
    those of several organizations do and none is named.
    """
    counts = _ask(connection, OF_REQUESTER, _conditions("requester_id", key, organization))
    banned = _ask(connection, BANS, _conditions("subject", key, organization))
    bans = {ban.organization_id: ban for ban in (decode_ban(bytes(row[0])) for row in banned)}
    owner = _owner(key, {row[0] for row in counts} | set(bans))
    newest = _ask(connection, NEWEST, _conditions("requester_id", key, organization))
    return _put_together(key, owner, counts, bans.get(owner), newest)


def _conditions(column: str, key: str, organization: str | None) -> list[Condition]:
    kind: list[Condition] = [OneOf(("kind",), ("enduser",))] if column == "subject" else []
    owner = of_conversation(organization, None)
    return [OneOf((column,), (as_stored(key),)), *kind, *owner]


def _ask(connection: Connection, sql: str, conditions: Sequence[Condition]) -> list[Any]:
    parameters = Parameters()
    statement = sql.format(where=where(conditions, parameters))
    return connection.run(statement, **parameters.values)


def _owner(key: str, owners: set[str | None]) -> str | None:
    if not owners:
        raise NotFoundError(
            f"end user {shorten(key)}: no ban and no conversation of theirs is in the views"
        )
    if len(owners) > 1:
        names = ", ".join(sorted(owner or '""' for owner in owners))
        raise AmbiguousError(
            f"end user {shorten(key)}: expected one organization, got {len(owners)}; name one of "
            f"them: {names}"
        )
    return next(iter(owners))


def _put_together(
    key: str, owner: str | None, counts: list[Any], ban: Ban | None, newest: list[Any]
) -> EndUser:
    by_status = Counter[str | None]()
    for _, status, count, *_ in counts:
        by_status[status] += count
    shown = decode_conversation(bytes(newest[0][0])).requester if newest else None
    return EndUser(
        organization_id=owner,
        id=key,
        user=shown or (ban.user if ban else None),
        ban=ban,
        conversations=dict(by_status),
        first_created_at=from_micros(min((row[3] for row in counts), default=None)),
        last_event_at=from_micros(max((row[4] for row in counts), default=None)),
    )
