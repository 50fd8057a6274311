"""What a person sees: screens of a real terminal, narrow and wide."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from dixa_state.cli import run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, data: Path) -> str:
    """The example day, and sixty conversations that are made up."""
    folder = tmp_path_factory.mktemp("terminal")
    url = f"sqlite:///{folder}/store.db"
    made = str(folder / "made.jsonl")
    assert run(["simulate", "--conversations", "60", "--seed", "1", made]) == 0
    assert run(["ingest", str(data / "day.jsonl"), made, "--store", url]) == 0
    assert run(["list", "--limit", "1", "--store", url]) == 0
    return url


_SEVERAL = """
import json, sys
from dixa_state.cli import run
for words in json.loads(sys.argv[1]):
    assert run(words) == 0
    print(end="\\f")
"""


def screens(store: str, size: tuple[int, int], *commands: str) -> list[list[str]]:
    """Run commands on a terminal, all in one process, which is quicker than one for each."""
    several = json.dumps([command.split() for command in commands])
    shown = "\n".join(screen(store, size, program=[sys.executable, "-c", _SEVERAL, several]))
    assert shown.count("\f") == len(commands)
    return [one.rstrip("\n").split("\n") for one in shown.split("\f")[:-1]]


def screen(
    store: str,
    size: tuple[int, int],
    *words: str,
    program: Sequence[str] = ("dixa-state",),
    pager: str = "cat",
) -> list[str]:
    """Run a command on a terminal of that many columns and lines; return what it wrote there."""
    shown, terminal = pty.openpty()
    columns, lines = size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    hidden = ("COLUMNS", "LINES", "NO_COLOR")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"PAGER": pager, "TERM": "xterm-256color", "DIXA_STATE_STORE": store}
    command = [*program, *words]
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with subprocess.Popen(command, env=environment, **streams) as process:
        os.close(terminal)
        written = b"".join(chunks(shown))
    os.close(shown)
    assert process.returncode == 0, written
    return written.decode().replace("\r\n", "\n").rstrip("\n").split("\n")


def chunks(shown: int) -> Iterator[bytes]:
    with suppress(OSError):  # Linux says so when the last writer has gone
        while chunk := os.read(shown, 65_536):
            yield chunk


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
def test_every_screen_fits_its_terminal(store: str, size: tuple[int, int]) -> None:
    for lines in screens(store, size, "list", "stats", "audit", "status 70431"):
        shown = plain(lines)
        assert len(shown) > 10
        assert max(map(len, shown)) <= size[0]


def test_words_are_shortened_rather_than_broken(store: str) -> None:
    narrow, wide = (plain(screen(store, size, "audit", "70431")) for size in ((80, 24), (200, 50)))
    assert len(narrow) == len(wide) == 7
    assert "154dfc1f-42b3-57af-9dc2-78939811ef7f" in wide[2]
    assert "154dfc1f-…" in narrow[2]


def test_a_list_ends_after_fifty_rows_and_says_how_many_follow(store: str) -> None:
    shown, limited, documents = screens(store, (80, 24), "list", "list --limit 60", "list --json")
    shown = plain(shown)
    assert len([line for line in shown if line]) == 52, shown[-3:]
    assert shown[-1] == "… and 12 more: --limit N shows more of them, --json all"
    assert (len(plain(limited)), len(documents)) == (61, 62)


def test_what_is_longer_than_the_screen_goes_through_the_pager(store: str) -> None:
    assert "paged" in "".join(screen(store, (80, 24), "list", pager="sed s/^/paged/"))
    assert "paged" not in "".join(screen(store, (200, 100), "list", pager="sed s/^/paged/"))


def test_breaches_have_a_colour_on_a_terminal_and_none_elsewhere(store: str) -> None:
    shown = "".join(screen(store, (80, 24), "sla", "--status", "breached"))
    assert "\x1b[1;31mbreached" in shown


def test_a_shell_completes_commands_and_choices() -> None:
    def completed(words: str) -> str:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        environment = os.environ | asked | {"_DIXA_STATE_COMPLETE": "bash_complete"}
        command = ["dixa-state"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert completed("dixa-state li") == "plain,list\n"
    assert "plain,pending" in completed("dixa-state list --status pen")


def test_hints_name_the_command_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("_DIXA_STATE_COMMAND", "./scripts/run")
    assert run(["list", "--store", f"sqlite:///{tmp_path}/none.db"]) == 1
    assert "`./scripts/run ingest FILE" in capsys.readouterr().err
