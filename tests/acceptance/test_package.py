"""What is shipped: the built wheel holds what the program needs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from dixa_state import open_tracker

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_sql_and_the_type_marker(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", tmp_path, ROOT], check=True, capture_output=True)
    [wheel] = tmp_path.glob("dixa_state-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dixa_state").rglob("*.*")}
    shipped = {name for name in package if name.endswith((".py", ".sql", ".typed"))}
    assert shipped <= names
    assert not [name for name in names if name.startswith("tests")]


def test_what_is_installed_by_hashes_has_the_versions_that_were_tested() -> None:
    names = ("requirements.txt", "constraints.txt")
    installed, tested = (
        set(re.findall(r"^[\w.-]+==[^\s;]+", (ROOT / name).read_text(), re.MULTILINE))
        for name in names
    )
    assert len(installed) > 20
    assert installed <= tested


def test_a_tracker_lists_what_is_of_use_and_no_names_of_the_library() -> None:
    with open_tracker("memory:") as tracker:
        listed = dir(tracker)
        assert {"append", "ask", "conversation", "webhooks", "every", "timeline"} <= set(listed)
        assert not {"repository", "save", "take_snapshot", "notification_log"} & set(listed)
        assert all(hasattr(tracker, name) for name in listed)
