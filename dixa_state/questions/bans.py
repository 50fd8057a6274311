"""End users and IP addresses: who is banned, and which conversations an end user has."""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Literal

from pydantic import Field

from dixa_state.domain import bans as domain
from dixa_state.domain.states import decode_ban, decode_conversation
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import AmbiguousError, NotFoundError
from dixa_state.questions.conditions import OneOf, select
from dixa_state.questions.conversation import User
from dixa_state.questions.filters import as_stored, of_conversation
from dixa_state.questions.paging import Keyed, WholeQuestion
from dixa_state.questions.question import Answer, Page, Question, Time
from dixa_state.questions.reader import Reader
from dixa_state.questions.stats import named_counts
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
BANS = "SELECT t.state FROM bans AS t WHERE {where} AND t.kind = 'enduser'"


class BanChange(Answer):
    """A ban, or the end of one."""

    banned: bool = Field(description="Whether a ban began or ended.")
    at: Time = Field(description="When it happened.")
    by: User | None = Field(description="Who did it, where Dixa says so.")
    event_id: str = Field(description="The webhook's id.")
    received_at: Time = Field(description="When its webhook was received.")
    late: bool = Field(description="Its webhook was received after later ones.")


class Ban(Answer):
    """The ban of an end user or an IP address: whether it holds, and what led there."""

    organization_id: str | None = Field(description="The organization's id at Dixa.")
    kind: Literal["enduser", "ip"] = Field(description="What is banned.")
    id: str = Field(description="The end user's id, or the IP address.")
    user: User | None = Field(description="The end user.")
    banned: bool = Field(description="Whether the ban holds.")
    since: Time | None = Field(description="Since when that has been so.")
    by: User | None = Field(description="Who did it, where Dixa says so.")
    history: list[BanChange] = Field(description="Every ban and every end of one.")
    version: int = Field(description="Events in its stream that were folded.")
    position: int = Field(description="The store position of the newest of them.")


class EndUser(Answer):
    """An end user: whether they are banned, and their conversations."""

    organization_id: str | None = Field(description="The organization's id at Dixa.")
    id: str = Field(description="The end user's id at Dixa.")
    user: User | None = Field(description="As the conversation that moved last shows them.")
    banned: bool = Field(description="Whether a ban holds.")
    ban: Ban | None = Field(description="The ban, where there ever was one.")
    conversations: dict[str, int] = Field(description="Their conversations by status.")
    first_created_at: Time | None = Field(description="The earliest creation of these.")
    last_event_at: Time | None = Field(description="The newest event in these.")


class Bans(WholeQuestion[Ban]):
    """List the end users and IP addresses that are banned now."""

    history: bool = Field(
        default=False, description="Also those that no longer are: everybody who ever was."
    )

    def answer(self, reader: Reader) -> Page[Ban]:
        """Return a page of the list."""
        return self.slice(reader)

    def keyed(self, reader: Reader, _position: int) -> list[Keyed[Ban]]:
        """Return every ban that fits, by kind, organization and subject."""
        with reader.moment() as (connection, _):
            found = connection.run("SELECT state FROM bans ORDER BY stream")
        bans = (decode_ban(bytes(state)) for (state,) in found)
        fitting = [Ban.model_validate(ban) for ban in bans if self._fits(ban)]
        keyed = [((ban.kind, ban.organization_id or "", ban.id), ban) for ban in fitting]
        return sorted(keyed, key=itemgetter(0))

    def _fits(self, ban: domain.Ban) -> bool:
        owned = self.organization in (None, ban.organization_id or "")
        return owned and (ban.banned or self.history)


class OneEndUser(Question[EndUser]):
    """Return whether an end user is banned, and count their conversations by status."""

    id: str = Field(description="The end user's id at Dixa.")

    def answer(self, reader: Reader) -> EndUser:
        """Return the end user, as bans and conversations have it."""
        with reader.moment() as (connection, _):
            counts = self._select(connection, OF_REQUESTER, "requester_id")
            banned = self._select(connection, BANS, "subject")
            bans = {ban.organization_id: ban for ban in (decode_ban(bytes(b)) for (b,) in banned)}
            owner = self._owner({row[0] for row in counts} | set(bans))
            newest = self._select(connection, NEWEST, "requester_id")
        ban = bans.get(owner)
        requester = decode_conversation(bytes(newest[0][0])).requester if newest else None
        by_status = Counter[str | None]()
        for _, status, count, *_ in counts:
            by_status[status] += count
        return EndUser(
            organization_id=owner,
            id=self.id,
            user=requester or (ban and ban.user),
            banned=bool(ban and ban.banned),
            ban=ban,
            conversations=named_counts(dict(by_status)),
            first_created_at=from_micros(min((row[3] for row in counts), default=None)),
            last_event_at=from_micros(max((row[4] for row in counts), default=None)),
        )

    def _select(self, connection: Connection, sql: str, column: str) -> Sequence[Any]:
        theirs = OneOf((column,), (as_stored(self.id),))
        return select(connection, sql, [theirs, *of_conversation(self.organization)])

    def _owner(self, owners: set[str | None]) -> str | None:
        if not owners:
            raise NotFoundError(
                f"end user {shorten(self.id)}: no ban and no conversation of theirs is in the views"
            )
        if len(owners) > 1:
            names = ", ".join(sorted(owner or '""' for owner in owners))
            raise AmbiguousError(
                f"end user {shorten(self.id)}: expected one organization, got {len(owners)}; "
                f"name one of them: {names}"
            )
        return next(iter(owners))
