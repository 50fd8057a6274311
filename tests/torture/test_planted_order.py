"""Bugs that are planted, to see that `order` finds them: one in every run, others on demand."""

from collections.abc import Callable, Iterable, Sequence
from os import urandom
from typing import Any

import pytest
from cases import case, moved
from eventsourcing.persistence import Notification
from order import torture

from dixa_state import fold as folding
from dixa_state.domain.events import Event
from dixa_state.store import append as appending
from dixa_state.views.generations import Connection
from dixa_state.views.projector import BatchResult, Projector

Find = Callable[[], list[str]]


@pytest.fixture
def findings(sqlite_url: str, make_postgres_store: Callable[[], str]) -> Find:
    """Try some cases on every backend and tell what is found."""
    postgres = make_postgres_store()

    def find() -> list[str]:
        cases = [case(5, number) for number in range(45)]
        cases[5:20] = [moved(one, "sqlite") for one in cases[5:20]]
        cases[20:25] = [moved(one, "postgres") for one in cases[20:25]]
        alone = [one for one in cases if not one.crowded]
        return torture(
            {"seed": 5}, alone, len(alone), sqlite=sqlite_url, postgres=postgres
        ).findings

    return find


def as_it_came(items: Iterable[Any], **_: Any) -> list[Any]:
    return list(items)


def test_a_fold_in_the_order_of_arrival_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dixa_state.fold.sorted", as_it_came, raising=False)
    assert any("the state of conversation/" in finding for finding in findings())


@pytest.mark.long
def test_a_page_that_is_folded_on_top_of_what_is_later_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "min", lambda *_, **__: None, raising=False)  # none is too late
    found = findings()
    assert any("sqlite" in finding and "rows of" in finding for finding in found)
    assert any("temporary" in finding and "the state of" in finding for finding in found)


def half(result: BatchResult) -> BatchResult:
    kept = list(result.folded)[: len(result.folded) // 2]
    some = (result.deleted, result.inserted)
    deleted, inserted = ([row for row in rows if row.stream in kept] for rows in some)
    return result._replace(deleted=deleted, inserted=inserted)


@pytest.mark.long
def test_a_projector_that_loses_half_a_page_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Projector._write  # noqa: SLF001 — where the bug is planted
    monkeypatch.setattr(Projector, "_write", lambda self, to, page: write(self, to, half(page)))
    assert any("rows of conversations: expected" in finding for finding in findings())


@pytest.mark.long
def test_a_projector_that_writes_the_rows_of_a_page_twice_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Projector._write  # noqa: SLF001 — where the bug is planted

    def twice(self: Projector, connection: Connection, page: BatchResult) -> None:
        write(self, connection, page)
        table = f"v{page.at.generation}_tags"
        for stream in page.folded:
            connection.run(
                f"INSERT INTO {table} (stream, number, tag, since) "  # noqa: S608 — names of ours
                f"SELECT stream, number + 1000, tag, since FROM {table} "
                "WHERE stream = :stream AND number < 1000 ON CONFLICT DO NOTHING",
                stream=stream,
            )

    monkeypatch.setattr(Projector, "_write", twice)
    assert any("rows of tags: expected no such row" in finding for finding in findings())


@pytest.mark.long
def test_a_page_that_is_folded_twice_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = folding._fold  # noqa: SLF001 — where the bug is planted

    def twice(
        state: Any, stored: Sequence[Notification], events: Sequence[Event], *more: Any
    ) -> folding.FoldResult:
        if state is not None:
            events = [event for event in events for _ in range(2)]
        return fold(state, stored, events, *more)

    monkeypatch.setattr(folding, "_fold", twice)
    assert any("rows of conversations: expected" in finding for finding in findings())


@pytest.mark.long
def test_an_append_that_recognises_no_duplicate_is_found(
    findings: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "event_key", lambda *_: urandom(16))
    assert any("outcomes of" in finding for finding in findings())
