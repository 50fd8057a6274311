"""A SQLite file that is moved, removed or replaced while it is open: nothing is acknowledged."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dixa_state import ConversationTracker, StoreUnavailableError, open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.questions import Reader
from dixa_state.questions.changes import health


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").rename(path)


def remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def remove_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "store.db"


@pytest.fixture
def tracker(file: Path, day_lines: list[bytes]) -> Iterator[ConversationTracker]:
    with open_tracker(f"sqlite:///{file}") as tracker:
        tracker.append(day_lines[0])
        yield tracker


@pytest.mark.parametrize("lose", [Path.unlink, move, replace, remove_log, remove_folder])
def test_nothing_is_written_to_a_file_that_is_not_where_it_was(
    tracker: ConversationTracker,
    file: Path,
    day_lines: list[bytes],
    lose: Callable[[Path], None],
) -> None:
    lose(file)
    with pytest.raises(StoreUnavailableError, match=r"moved, removed or replaced"):
        tracker.append(day_lines[1])


def test_a_store_whose_file_has_gone_is_not_healthy(
    tracker: ConversationTracker, file: Path
) -> None:
    reader = Reader(tracker, open_views(tracker.event_recorder))
    assert health(reader).store_position == 1
    move(file)
    with pytest.raises(StoreUnavailableError, match="moved, removed or replaced"):
        health(reader)
    with pytest.raises(StoreUnavailableError, match="moved, removed or replaced"):
        reader.position()


def test_a_file_that_comes_back_is_written_again(
    tracker: ConversationTracker, file: Path, day_lines: list[bytes]
) -> None:
    move(file)
    with pytest.raises(StoreUnavailableError):
        tracker.append(day_lines[1])
    file.with_name("elsewhere.db").rename(file)
    assert tracker.append(day_lines[1]).kind in ("appended", "duplicate")


def test_a_program_that_changes_its_folder_still_finds_its_file(
    tmp_path: Path, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_tracker("sqlite:///store.db") as tracker:
        monkeypatch.chdir("/")
        assert tracker.append(day_lines[0]).kind == "appended"
