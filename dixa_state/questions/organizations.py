"""Organizations: whether a store holds several, and how webhooks name them."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import from_json

from dixa_state.dixa.streams import stream_part
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import AmbiguousError
from dixa_state.questions.names import unknown_name
from dixa_state.questions.question import Question
from dixa_state.store.events import decode_state

if TYPE_CHECKING:
    from dixa_state.questions.reader import Reader

Q = TypeVar("Q", bound=Question[Any])

_KINDS = ("conversation", "enduser", "ip")


class Organizations:
    """The names of the organizations of a store, each read once."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._names: dict[str | None, str] = {}

    @property
    def are_several(self) -> bool:
        """Return whether the conversations are of more than one organization."""
        sql = "SELECT min(stream), max(stream) FROM conversations"
        with self._reader.moment() as (connection, _):
            [(first, last)] = connection.run(sql)
        return first is not None and first.split("/")[1] != last.split("/")[1]

    def name(self, organization_id: str | None, position: int) -> str:
        """Return the name by the event at this position, one of theirs; else the id."""
        if organization_id not in self._names:
            self._names[organization_id] = self._read(position) or organization_id or ""
        return self._names[organization_id]

    def _read(self, position: int) -> str | None:
        stored = self._reader.tracker.event_recorder.select_notifications(position, 1)
        name = _organization_in(stored[0].state).get("name") if stored else None
        return name if isinstance(name, str) else None

    def has(self, organization_id: str) -> bool:
        """Return whether there are events of an organization, by jumps in the index."""
        next_stream = self._reader.tracker.event_recorder.next_stream
        begins = (f"{kind}/{stream_part(organization_id)}/" for kind in _KINDS)
        return any((next_stream(begin) or "").startswith(begin) for begin in begins)

    def all(self) -> dict[str, str]:
        """Return the id and name of each, as the first event of one of their streams has them."""
        recorder = self._reader.tracker.event_recorder
        found = [
            _organization_in(event.state)
            for kind in _KINDS
            for stream in recorder.first_streams(kind)
            for event in recorder.select_events(stream, limit=1)
        ]
        return {str(one["id"]): str(one.get("name") or "") for one in found if one.get("id")}


def _organization_in(state: bytes) -> dict[str, Any]:
    body = from_json(decode_state(state).body)
    shown = body.get("organization") if isinstance(body, dict) else None
    return shown if isinstance(shown, dict) else {}


def with_known_organization(reader: "Reader", question: Q) -> Q:
    """Return the question with the id of its organization, which may be given by name.

    Raises `UnknownNameError` where there is none, `AmbiguousError` where several have the name.
    """
    wanted, organizations = question.organization, Organizations(reader)
    if not wanted or organizations.has(wanted):
        return question
    ids: dict[str, list[str]] = defaultdict(list)
    spelled: dict[str, set[str]] = defaultdict(set)
    for key, name in organizations.all().items():
        ids[name.casefold()].append(key)
        for one in filter(None, (key, name)):
            spelled[one.casefold()].add(one)
    match ids[wanted.casefold()]:
        case []:
            raise unknown_name("organization", "organization", wanted, spelled)
        case [key]:
            return question.model_copy(update={"organization": key})
        case several:
            raise AmbiguousError(
                f"organization: expected the id of one named {shorten(wanted)!r}: "
                f"{', '.join(several)}"
            )
