"""Views of version 1, whose states are JSON, are read and kept up to date as they are."""

import pytest
from projections import Place, deliver, findings, opened, project, rows

from dixa_state.domain.states import as_json, encode
from dixa_state.projection.tables import VIEW_VERSION
from dixa_state.queries import Queries

_KEYS = {"conversations": ("stream", "state"), "bans": ("stream", "state")}
_KEYS["transitions"] = ("stream", "sequence", "move")


@pytest.fixture
def old_views(store_url: str, day_lines: list[bytes]) -> str:
    """A store of half a day, its views as version 1 wrote them."""
    with opened(store_url) as place:
        deliver(place[0], day_lines[:25])
        project(place)
        spell_as_version_1(place)
    return store_url


def spell_as_version_1(place: Place) -> None:
    with place[1].transaction(write=True) as connection:
        [(generation,)] = connection.run("SELECT generation FROM projection WHERE name = 'views'")
        for table, (*key, column) in _KEYS.items():
            found = connection.run(f"SELECT {', '.join(key)}, {column} FROM {table}")  # noqa: S608
            where = " AND ".join(f"{name} = :{name}" for name in key)
            for *values, packed in found:
                connection.run(
                    f"UPDATE v{generation}_{table} SET {column} = :json WHERE {where}",  # noqa: S608
                    json=as_json(bytes(packed)),
                    **dict(zip(key, values, strict=True)),
                )
        connection.run("UPDATE projection SET view_version = 1")


def spellings(place: Place) -> set[bytes]:
    """Give the first bytes of all states: `{` is JSON."""
    return {bytes(row[-1])[:1] for table in _KEYS for row in rows(place[1])[table]}


def told(place: Place) -> list[object]:
    """Tell all that the views know, by questions of every kind."""
    queries = Queries(*place)
    listed = queries.conversations().items
    return [
        [encode(state) for state in listed],
        [encode(place[0].conversation(state.csid)) for state in listed],
        [item.transition for item in queries.transitions().items],
        queries.bans(),
    ]


def test_they_tell_the_same_and_verify(old_views: str) -> None:
    with opened(old_views) as place:
        assert spellings(place) == {b"{"}
        before = told(place)
        assert all(before[:3])
        assert findings(old_views, place) == []
        assert place[1].progress().view_version == 1


def test_they_are_kept_up_to_date_and_an_older_program_is_told_that_they_are_new(
    old_views: str, day_lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(old_views) as place:
        deliver(place[0], day_lines[25:])
        project(place)
        assert place[1].progress().view_version == VIEW_VERSION
        assert len(spellings(place)) > 1
        assert findings(old_views, place) == []
        mixed = told(place)
    fresh = tmp_path_factory.mktemp("fresh") / "store.db"
    with opened(f"sqlite:///{fresh}") as place:
        deliver(place[0], day_lines)
        project(place)
        assert told(place) == mixed


def test_a_change_is_found_in_them(old_views: str) -> None:
    with opened(old_views) as place:
        with place[1].transaction(write=True) as connection:
            connection.run("UPDATE v1_conversations SET status = 'pending' WHERE csid = 70431")
        found = findings(old_views, place)
        assert len(found) == 2
        assert all("70431" in finding.where for finding in found)
