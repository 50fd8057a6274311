"""What is sent: webhooks of a simulated support desk, copies and twins of them, and nonsense."""

from collections import deque
from itertools import count
from random import Random
from threading import Lock
from typing import NamedTuple

from dixa_state.simulate import Plan, bodies, pretty_json

_RECENT = 500
_FAR = 2_000


class Piece(NamedTuple):
    """A body; `event` is its event id, None if it can never be one, `content` tells twins apart.

    Two pieces of the same event and content say the same, perhaps spaced otherwise; of two with
    other content the store keeps the one that came first, and sets the other aside.
    """

    raw: bytes
    event: str | None
    content: str = "original"


class Stock:
    """Gives what is to be sent next; the same seed gives the same, answers permitting."""

    def __init__(
        self,
        seed: int,
        *,
        copies: float = 0.1,
        oddities: float = 0.03,
        at_once: int = 1,
        ahead: int = 0,
    ) -> None:
        """Send the fraction `copies` of answered pieces again, and odd ones among the new.

        Each new one goes out `at_once` times, one right behind the other. So many are made `ahead`,
        since making them would take processor time from what is measured.
        """
        self._dice = Random(f"stock {seed}")
        self._maker = Random(f"pieces {seed}")
        self._at_once = at_once
        plan = Plan(conversations=200_000, days=300, seed=seed, duplicates=0.05, shuffle=120)
        self._new = (pretty_json(simulated.body) for simulated in bodies(plan))
        self._copies = copies
        self._oddities = oddities
        self._again: deque[Piece] = deque()
        self._recent: deque[Piece] = deque(maxlen=_RECENT)
        self._old: list[Piece] = []
        self._lock = Lock()
        self._under_way = 0
        self._numbers = count()
        self._queue: deque[Piece] = deque()
        self.closed = False
        while len(self._queue) < ahead:
            self._make_more()

    def take(self) -> Piece | None:
        """Give a piece to send; None where nothing is to be sent now."""
        with self._lock:
            piece = self._again.popleft() if self._again else self._choose()
            self._under_way += piece is not None
            return piece

    def give_back(self, piece: Piece) -> None:
        """Take back what was not answered; it goes out again before anything new."""
        with self._lock:
            self._under_way -= 1
            self._again.append(piece)

    def answered(self, piece: Piece) -> None:
        """Know that a piece has arrived; it may be sent again."""
        with self._lock:
            self._under_way -= 1
            self._recent.append(piece)
            if self._dice.random() < 0.02 and len(self._old) < _FAR:
                self._old.append(piece)

    @property
    def unanswered(self) -> int:
        """How many pieces have not been answered, among them those that are under way."""
        return len(self._again) + self._under_way

    def _choose(self) -> Piece | None:
        if self.closed:
            return None
        if self._recent and self._dice.random() < self._copies:
            return self._dice.choice(self._dice.choice([self._recent, self._old or self._recent]))
        if not self._queue:
            self._make_more()
        return self._queue.popleft()

    def _make_more(self) -> None:
        self._queue.extend(piece for piece in self.make() for _ in range(self._at_once))

    def make(self) -> list[Piece]:
        """Make new pieces: one, or an odd one and what belongs to it; the same for a seed."""
        raw = next(self._new)
        piece = Piece(raw, event_id(raw))
        if self._maker.random() >= self._oddities:
            return [piece]
        odds = [self._respaced, self._contradicted, self._unknown, self._nonsense]
        made: list[Piece] = self._maker.choice(odds)(piece)
        self._maker.shuffle(made)
        return made

    def _respaced(self, piece: Piece) -> list[Piece]:
        return [piece, piece._replace(raw=b"{ " + piece.raw[1:])]

    def _contradicted(self, piece: Piece) -> list[Piece]:
        content = f"other {next(self._numbers)}"
        note = b'{"note":"%s",' % content.encode()
        return [piece, Piece(note + piece.raw[1:], piece.event, content)]

    def _unknown(self, piece: Piece) -> list[Piece]:
        head, _, rest = piece.raw.partition(b'"event_fqn" : "')
        return [piece._replace(raw=head + b'"event_fqn" : "ROBOT_' + rest, content="new")]

    def _nonsense(self, piece: Piece) -> list[Piece]:
        number = b"%d" % next(self._numbers)
        return [piece, Piece(b"nonsense " + number, None), Piece(b'{"number":%s}' % number, None)]


def event_id(raw: bytes) -> str:
    """Read the event id, which the simulator writes first."""
    return raw.split(b'"', 4)[3].decode()
