"""The ledger: what was sent and what was answered, and whether the answers agree."""

from collections import Counter, deque
from time import monotonic
from typing import Any, NamedTuple

from stock import Piece

from dixa_state.store.append import digest

Identity = tuple[str | None, str]
"""Of which event a body tells, and what: equal for all spellings of the same."""


class Told(NamedTuple):
    """What an answer has promised."""

    kind: str
    identity: Identity
    digest: bytes
    position: int | None


class Ledger:
    """Keeps what the service has promised, by digests, since bodies would fill the memory."""

    def __init__(self) -> None:
        self.sent: dict[bytes, Identity] = {}
        self.fresh: deque[Told] = deque()
        self.told: dict[bytes, Told] = {}
        self.findings: list[str] = []
        self.answers: Counter[str] = Counter()
        self.highest = 0
        self.positions: deque[tuple[int, float]] = deque()
        """The positions of new events, with the moments of their answers."""
        self._contents: dict[str, set[str]] = {}
        self._at: dict[int, Identity] = {}
        self._appended: set[str] = set()

    def sends(self, piece: Piece) -> int:
        """Enter that a piece goes out; give the highest position that was told by now."""
        self.sent[digest(piece.raw)] = piece.event, piece.content
        if piece.event is not None:
            self._contents.setdefault(piece.event, set()).add(piece.content)
        return self.highest

    def is_answered(self, piece: Piece, outcome: dict[str, Any], floor: int) -> None:
        """Enter an answer 200 to a piece that went out when `floor` was the highest position."""
        kind, position = outcome["outcome"], outcome["position"]
        told = Told(kind, (piece.event, piece.content), digest(piece.raw), position)
        self.answers[kind] += 1
        self.findings += _contradictions(self, told, floor)
        if position is not None:
            self._at[position] = told.identity
            self.highest = max(self.highest, position)
        if kind == "appended" and piece.event is not None:
            self._appended.add(piece.event)
            self.positions.append((position, monotonic()))
        self.told[told.digest] = told
        self.fresh.append(told)

    def may_be_set_aside(self, identity: Identity) -> bool:
        """Tell whether a body may be in quarantine: no event, or one of two that contradict."""
        event, _ = identity
        return event is None or len(self._contents[event]) > 1

    def is_known(self, event: str | None) -> bool:
        """Tell whether an event was told to be appended before."""
        return event in self._appended

    def at(self, position: int | None) -> Identity | None:
        """Give what was told to be at a position."""
        return self._at.get(position) if position is not None else None


def _contradictions(ledger: Ledger, told: Told, floor: int) -> list[str]:
    """Compare an answer with all that was answered before."""
    found = []
    if told.kind == "quarantined":
        if not ledger.may_be_set_aside(told.identity):
            found.append(f"an event was quarantined: {told}")
        return found
    if told.identity[0] is None or told.position is None:
        found.append(f"nonsense was kept, or without a position: {told}")
    if ledger.at(told.position) not in (None, told.identity):
        found.append(f"two events at one position: {told} and {ledger.at(told.position)}")
    if told.kind == "appended" and told.position is not None and told.position <= floor:
        found.append(f"a position that does not rise: {told} was sent after {floor} was told")
    if told.kind == "appended" and ledger.is_known(told.identity[0]):
        found.append(f"an event was appended twice: {told}")
    return found
