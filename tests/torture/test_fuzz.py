"""The short version of `scripts/torture fuzz`, and every input that ever broke something."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from body_target import Bodies
from fuzz import FOUND, TARGETS, Fuzzer, HangError, bounded, torture
from mutation import mutated
from targets import Files, Settings, Signature, Target, Time

WITHOUT_DATABASE = (Signature, Time, Settings, Files)
ASKING = [name for name, kind in TARGETS.items() if kind not in (*WITHOUT_DATABASE, Bodies)]

Opened = Callable[[str], Target]


@pytest.fixture
def urls(sqlite_url: str, make_postgres_store: Callable[[], str]) -> dict[str, str]:
    return {"sqlite": sqlite_url, "postgres": make_postgres_store()}


@pytest.mark.parametrize("kind", WITHOUT_DATABASE)
def test_odd_inputs_are_refused_as_documented(kind: type[Target]) -> None:
    assert torture({kind.name: 0.4}, seed=1).findings == []


def test_odd_bodies_are_refused_or_stored_folded_and_shown(urls: dict[str, str]) -> None:
    assert torture({"bodies": 1.5}, seed=1, **urls).findings == []


@pytest.mark.parametrize("name", ASKING)
def test_odd_questions_are_refused_as_documented(name: str, urls: dict[str, str]) -> None:
    assert torture({name: 0.4}, seed=1, **urls).findings == []


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}")
def test_what_broke_something_once_breaks_nothing(path: Path, urls: dict[str, str]) -> None:
    kind = TARGETS[path.parent.name]
    with kind() if kind in WITHOUT_DATABASE else kind(**urls) as target:
        target.attempt(path.read_bytes())
        assert list(target.conclude()) == []


class Careless(Target):
    """A target with a bug that only a changed input meets."""

    name = "careless"

    def seeds(self) -> list[bytes]:
        return [b'{"a": 1}']

    def attempt(self, data: bytes) -> None:
        assert b"\0" not in data


def test_a_bug_is_found_and_its_input_kept() -> None:
    fuzzer = Fuzzer(Careless(), 1)
    fuzzer.go(0.7)
    [(told, data)] = fuzzer.findings.values()
    assert told.startswith("AssertionError")
    assert b"\0" in data


def for_ever() -> None:
    while True:
        pass


def test_a_hang_is_interrupted() -> None:
    with pytest.raises(HangError), bounded(0.05):
        for_ever()


def test_the_same_seed_makes_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        dice = Random(seed)
        return [mutated(b'{"a": [1, {"b": "c"}]}', [b"[2]"], dice) for _ in range(500)]

    assert inputs(1) == inputs(1) != inputs(2)
    assert len(set(inputs(1))) > 300
