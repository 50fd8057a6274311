"""What somebody can know of a status who hears only what was delivered."""

from msgspec import Struct

from dixa_state.simulate.times import SECOND

GRACE = 10 * SECOND
"""How long a snapshot may be stale; what shows a missed change must be later than that."""


class Missed(Struct):
    """A change of status whose webhook was never delivered.

    `revealed` tells whether a body that was delivered shows its status: one that is later than it,
    and than the last word on the status, by more than the grace. Dixa shows abandoned as closed, so
    nothing reveals an abandonment.
    """

    event_id: str
    event: str
    at: int
    to: str
    revealed: bool = False


class Heard:
    """The last word on the status of a conversation, and what was missed."""

    __slots__ = ("at", "missed", "status")

    def __init__(self) -> None:
        self.status = ""
        self.at = 0
        self.missed: list[Missed] = []

    def tell(self, status: str, at: int) -> None:
        """Hear of a change of status."""
        self.status, self.at = status, at

    def miss(self, event_id: str, event: str, at: int, to: str) -> None:
        """Do not hear of a change of status."""
        self.missed.append(Missed(event_id, event, at, to))

    def see(self, status: str, at: int) -> None:
        """See, in the snapshot of a body about something else, what the status is."""
        shown = "closed" if status == "abandoned" else status
        if self.status in (status, shown):
            return
        last = self.missed[-1]
        if at - max(last.at, self.at) > GRACE:
            self.tell(shown, at)
            last.revealed = last.to == shown
