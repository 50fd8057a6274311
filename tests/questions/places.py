"""A store with its projector and its reader, and webhooks of several conversations to put in."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from dixa_state import ConversationTracker, NotFoundError, Webhook, open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.domain.conversation import Conversation
from dixa_state.questions import Conversations, Page, PagedQuestion, Reader, Search, planning
from dixa_state.questions.question import MAX_LIMIT
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector

Body = dict[str, Any]
EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
_organizations = count(1)


class Place(NamedTuple):
    """A store, and what works on it."""

    tracker: ConversationTracker
    views: Views
    reader: Reader

    def receive(self, webhooks: Sequence[Body | bytes]) -> None:
        """Append webhooks and bring the views up to date."""
        bodies = (w if isinstance(w, bytes) else json.dumps(w).encode() for w in webhooks)
        self.tracker.append_many([Webhook(body, RECEIVED) for body in bodies])
        assert Projector(self.tracker, self.views).catch_up()

    def conversations(
        self, organization: str, *, as_of: datetime | None = None
    ) -> Iterator[tuple[Conversation, Conversation]]:
        """Fold every conversation from the event store: as of a moment, and as it is now."""
        for csid in CSIDS:
            read = partial(self.tracker.conversation, csid, organization=organization)
            try:
                yield read(as_of=as_of), read()
            except NotFoundError:
                continue

    def page(
        self, question: PagedQuestion[Any], limit: int = MAX_LIMIT, key: str | None = None
    ) -> Page[Any]:
        """Return a page of an answer; of conversations their states, which tests can judge."""
        asked = question.model_copy(update={"page_limit": limit, "page_key": key})
        states = isinstance(asked, Conversations | Search)
        return asked.states(self.reader) if states else asked.answer(self.reader)

    def whole(self, question: PagedQuestion[Any]) -> list[Any]:
        """Return an answer that fits one page."""
        page = self.page(question)
        assert page.next_key is None
        return page.items

    def in_pages(
        self,
        question: PagedQuestion[Any],
        sizes: Iterator[int],
        between: Callable[[], None] = lambda: None,
    ) -> list[Any]:
        """Return the items of all pages of an answer."""
        items: list[Any] = []
        key = None
        while True:
            size = next(sizes)
            page = self.page(question, size, key)
            items += page.items
            assert len(page.items) == size or page.next_key is None
            if page.next_key is None:
                return items
            key = page.next_key
            between()


@contextmanager
def open_place_at(url: str) -> Iterator[Place]:
    with open_tracker(url) as tracker:
        views = open_views(tracker.event_recorder)
        try:
            yield Place(tracker, views, Reader(tracker, views))
        finally:
            views.close()


def draw_few(data: st.DataObject) -> None:
    """Have lists find their rows in any way, as they do in stores of any size."""
    planning.FEW = data.draw(st.sampled_from([1, 3, 5_000]), label="few")


def in_batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def new_organization() -> str:
    return f"org-{next(_organizations)}"


# Whatever Dixa may send: queues that share a name, people that are known by an id only, or by more
# of them later, and names that other people have as well.

CSIDS = range(1, 6)
AGENTS = [
    {"id": "ida", "name": "Ida", "email": "ida@aurora.example"},
    {"id": "ida"},
    {"id": "other-ida", "name": "Ida"},
    {"id": "nameless"},
]
CUSTOMERS = [
    {"id": "per", "name": "Per Sand", "email": "per@example.com", "user_type": "Contact"},
    {"id": "mette", "user_type": "Contact"},
    {"email": "bo@example.com", "user_type": "Contact"},
]
QUEUES = [
    {"id": "q1", "name": "Support"},
    {"id": "q2", "name": "Support"},
    {"id": "q3"},
    {"id": "q1"},
    {"id": "q4", "name": "none"},
]
TAGS = ["tent", "boat", "oar"]
IDS = [{"name": "tent", "id": "t1"}, {"name": "oar", "id": "t3"}]
SHOWN_TAGS = [*({"name": tag} for tag in TAGS), *IDS]
VALUES = ["AU-1", "", None, 5, 5.0, True, ["AU-1", "AU-2"], ["AU-2", None], [], {"a": [1]}]
agents = st.sampled_from(AGENTS).map(lambda agent: agent | {"user_type": "Member"})
customers, queues, tags = (st.sampled_from(these) for these in (CUSTOMERS, QUEUES, TAGS))
attributes = st.fixed_dictionaries(
    {"identifier": st.sampled_from(["order", "size"]), "value": st.sampled_from(VALUES)},
    optional={"id": st.just("a1")},
)
evaluations = st.sampled_from(
    [
        {"id": "sla-1", "metric": "FirstResponse", "deadline": "2026-03-02T08:10:00Z"},
        {"metric": "NextResponse", "policy": "Gold"},
    ]
)
KINDS = {
    **{
        f"CONVERSATION_{name}": st.just({})
        for name in ("CREATED", "OPEN", "PENDING", "PENDING_EXPIRED", "CLOSED", "ABANDONED")
    },
    "CONVERSATION_ENQUEUED": st.fixed_dictionaries({"queue": queues}),
    "CONVERSATION_ASSIGNED": st.fixed_dictionaries({"agent": agents}),
    "CONVERSATION_UNASSIGNED": st.fixed_dictionaries({"agent": agents}),
    "CONVERSATION_TRANSFERRED": st.one_of(
        st.fixed_dictionaries({"agent": agents}), st.fixed_dictionaries({"queue": queues})
    ),
    "CONVERSATION_MESSAGE_ADDED": st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["inbound", "outbound"]),
            "author": agents | customers | st.none(),
        }
    ),
    "CONVERSATION_TAG_ADDED": st.fixed_dictionaries({"tag": tags}),
    "CONVERSATION_TAG_REMOVED": st.fixed_dictionaries({"tag": tags}),
    "CONVERSATION_END_USER_REPLACED": st.fixed_dictionaries({"new_user": customers}),
    "CONVERSATION_RATED": st.fixed_dictionaries(
        {"score": st.integers(1, 5), "type": st.sampled_from(["Csat", "Nps"])}
    ),
    **{
        f"SLA_EVALUATION_{name}": st.fixed_dictionaries({"sla": evaluations})
        for name in ("PENDING", "ACHIEVED", "BREACHED", "VOIDED")
    },
    "CONVERSATION_SOMETHING_NEW": st.just({}),
}
snapshots = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["OPEN", "PENDING", "CLOSED", "AWAITING_PENDING"]),
        "channel": st.sampled_from(["EMAIL", "WIDGET_CHAT"]),
        "direction": st.sampled_from(["INBOUND", "OUTBOUND"]),
        "created_at": st.sampled_from(["2026-03-02T07:59:00Z", "2026-03-02T08:00:01Z"]),
        "assignee": agents | st.none(),
        "queue": queues | st.none(),
        "requester": customers,
        "subject": st.sampled_from(["A leaking tent", "Boat, oar"]),
        "tags": st.lists(st.sampled_from(SHOWN_TAGS), max_size=2),
        "custom_attributes": st.lists(attributes, max_size=2),
    },
)
SECONDS = st.integers(0, 40) | st.sampled_from([0.001, 9.999, 10, 10.001, 600, 3600])


@st.composite
def webhooks(draw: st.DrawFn, organization: str) -> Body:
    kind = draw(st.sampled_from(sorted(KINDS)))
    shown = draw(snapshots) | {"csid": draw(st.sampled_from(CSIDS))}
    return {
        "event_id": str(UUID(int=draw(st.integers(0, 2**128 - 1)))),
        "event_fqn": kind,
        "event_timestamp": (EIGHT + timedelta(seconds=draw(SECONDS))).isoformat(),
        "organization": {"id": organization},
        "data": {"conversation": shown, **draw(KINDS[kind])},
    }


def histories(organization: str, *, least: int = 1) -> st.SearchStrategy[list[Body]]:
    """Webhooks of several conversations, in the order in which they come in: any."""
    return st.lists(
        webhooks(organization),
        min_size=least,
        max_size=30,
        unique_by=lambda webhook: webhook["event_id"],
    )


moments = SECONDS.map(lambda seconds: EIGHT + timedelta(seconds=seconds))
