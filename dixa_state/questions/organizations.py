"""Organizations: whether a store holds several, and how webhooks name them."""

from pydantic_core import from_json

from dixa_state.questions.reader import Reader
from dixa_state.store.events import decode_state


class Organizations:
    """The names of the organizations of a store, each read once."""

    def __init__(self, reader: Reader) -> None:
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
        body = from_json(decode_state(stored[0].state).body) if stored else None
        shown = body.get("organization") if isinstance(body, dict) else None
        name = shown.get("name") if isinstance(shown, dict) else None
        return name if isinstance(name, str) else None
