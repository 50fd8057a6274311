"""The ledger: what was sent and what was answered, and whether the answers agree."""

from collections import Counter, deque
from time import monotonic
from typing import Any, NamedTuple

from stock import Piece

from dixa_state.store.append import digest

Identity = tuple[str | None, str]
"""Of which event a body tells, and what: equal for all spellings of the same."""


class Answered(NamedTuple):
    """What an answer has promised."""

    kind: str
    identity: Identity
    digest: bytes
    position: int | None


class Ledger:
    """Keeps what the service has promised, by digests, since bodies would fill the memory."""

    def __init__(self) -> None:
        self.sent: dict[bytes, Identity] = {}
        self.fresh: deque[Answered] = deque()
        self.answered: dict[bytes, Answered] = {}
        self.findings: list[str] = []
        self.answers: Counter[str] = Counter()
        self.highest = 0
        self.positions: deque[tuple[int, float]] = deque()
        """The positions of new events, with the moments of their answers."""
        self._contents: dict[str, set[str]] = {}
        self._at: dict[int, Identity] = {}
        self._appended: set[str] = set()

    def sends(self, piece: Piece) -> int:
        """Enter that a piece goes out; return the highest position answered by now."""
        self.sent[digest(piece.raw)] = piece.event, piece.content
        if piece.event is not None:
            self._contents.setdefault(piece.event, set()).add(piece.content)
        return self.highest

    def is_answered(self, piece: Piece, outcome: dict[str, Any], floor: int) -> None:
        """Enter an answer 200 to a piece that went out when `floor` was the highest position."""
        kind, position = outcome["outcome"], outcome["position"]
        answered = Answered(kind, (piece.event, piece.content), digest(piece.raw), position)
        self.answers[kind] += 1
        self.findings += _contradictions(self, answered, floor)
        if position is not None:
            self._at[position] = answered.identity
            self.highest = max(self.highest, position)
        if kind == "appended" and piece.event is not None:
            self._appended.add(piece.event)
            self.positions.append((position, monotonic()))
        self.answered[answered.digest] = answered
        self.fresh.append(answered)

    def may_be_set_aside(self, identity: Identity) -> bool:
        """Return whether a body may be in quarantine: no event, or one of two that contradict."""
        event, _ = identity
        return event is None or len(self._contents[event]) > 1

    def is_known(self, event: str | None) -> bool:
        """Return whether an event was answered as appended before."""
        return event in self._appended

    def at(self, position: int | None) -> Identity | None:
        """Return what was answered as being at a position."""
        return self._at.get(position) if position is not None else None


def _contradictions(ledger: Ledger, answered: Answered, floor: int) -> list[str]:
    """Compare an answer with all that was answered before."""
    found = []
    if answered.kind == "quarantined":
        if not ledger.may_be_set_aside(answered.identity):
            found.append(f"an event was quarantined: {answered}")
        return found
    if answered.identity[0] is None or answered.position is None:
        found.append(f"nonsense was kept, or without a position: {answered}")
    if ledger.at(answered.position) not in (None, answered.identity):
        found.append(f"two events at one position: {answered} and {ledger.at(answered.position)}")
    if answered.kind == "appended" and answered.position is not None and answered.position <= floor:
        found.append(
            f"a position that does not rise: {answered} was sent after {floor} was answered"
        )
    if answered.kind == "appended" and ledger.is_known(answered.identity[0]):
        found.append(f"an event was appended twice: {answered}")
    return found
