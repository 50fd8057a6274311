"""Agents, the queues that they serve, and when they are at work."""

from collections.abc import Collection

from dixa_state.simulate.cast import QUEUES, Named, Person, identify
from dixa_state.simulate.dice import Dice
from dixa_state.simulate.times import HOUR, HOURS_OF_WEEK, hour_of_week

_SHIFTS = ((7, 15), (8, 16), (9, 17), (12, 20), (14, 22))
_WORKDAYS = ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), (2, 3, 4, 5, 6), (5, 6, 0, 1))
_NAMES = (
    *("Ida Holm", "Omar Lind", "Sara Vang", "Mikkel Dahl", "Lea Krogh", "Jonas Skov"),
    *("Nadia Haddad", "Emil Larsen", "Clara Weber", "Viktor Novak", "Julie Møller", "Adam Silva"),
    *("Signe Berg", "Tariq Chen", "Laura Rossi", "Bo Hansen", "Karin Jensen", "Leo Dubois"),
    *("Marta Kowalski", "Ali Tanaka", "Nina Smith", "Gustav Sand", "Rosa Garcia", "Ole Brown"),
)


class Rota:
    """The hours of the week at which somebody, or anybody, is at work."""

    __slots__ = ("_ahead",)

    def __init__(self, hours: Collection[int]) -> None:
        self._ahead = tuple(_ahead(hour, hours) for hour in range(HOURS_OF_WEEK))

    def on_duty(self, hour: int) -> bool:
        """Tell whether an hour of the week is one of them."""
        return not self._ahead[hour]

    def resume(self, at: int) -> int:
        """Give the first moment from `at` on that is at work."""
        ahead = self._ahead[hour_of_week(at)]
        return (at // HOUR + ahead) * HOUR if ahead else at


class Agent(Person):
    """A member of the organization who serves some queues, at some hours."""

    __slots__ = ("hours", "queues", "rota")

    def __init__(self, number: int, name: str) -> None:
        local = name.lower().replace(" ", ".").replace("ø", "oe")
        super().__init__(
            identifier=identify(f"agent {name}"),
            name=name,
            email=f"{local}@aurora.example",
            phone=None,
            roles=("Agent",),
            user_type="Member",
        )
        self.queues = (QUEUES[number % len(QUEUES)], QUEUES[number // 2 % len(QUEUES)])
        self.hours = _hours(number)
        self.rota = Rota(self.hours)


class Staff:
    """All agents, and who of them is there when."""

    def __init__(self) -> None:
        agents = tuple(Agent(number, name) for number, name in enumerate(_NAMES))
        self.agents = agents
        self._rotas = {queue: _rota(queue, agents) for queue in QUEUES}
        self._present = {
            queue: tuple(_present(queue, hour, agents) for hour in range(HOURS_OF_WEEK))
            for queue in QUEUES
        }

    def opens(self, queue: Named, at: int) -> int:
        """Give the first moment from `at` on at which somebody serves a queue."""
        return self._rotas[queue].resume(at)

    def someone(self, queue: Named, at: int, dice: Dice, but: Agent | None = None) -> Agent:
        """Choose who takes a conversation: one of those who are there, but not this one."""
        there = self._present[queue][hour_of_week(at)] or self.agents
        agent = dice.pick(there)
        if agent is but:
            others = there if len(there) > 1 else self.agents
            agent = others[(others.index(agent) + 1) % len(others)]
        return agent


def _ahead(hour: int, hours: Collection[int]) -> int:
    return next(ahead for ahead in range(HOURS_OF_WEEK) if (hour + ahead) % HOURS_OF_WEEK in hours)


def _hours(number: int) -> frozenset[int]:
    begin, end = _SHIFTS[number % len(_SHIFTS)]
    days = _WORKDAYS[number % len(_WORKDAYS)]
    return frozenset(24 * day + hour for day in days for hour in range(begin, end))


def _rota(queue: Named, agents: tuple[Agent, ...]) -> Rota:
    return Rota({hour for agent in agents if queue in agent.queues for hour in agent.hours})


def _present(queue: Named, hour: int, agents: tuple[Agent, ...]) -> tuple[Agent, ...]:
    return tuple(agent for agent in agents if queue in agent.queues and agent.rota.on_duty(hour))
