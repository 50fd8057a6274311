"""Everything in the README is executed: what it shows is what users get."""

import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from dixa_state import cli, open_tracker
from dixa_state.dixa import signature

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def _clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Shift the clock to the night in UTC, here and in every Python that is started.

    What the demo has to tell at any hour is tested by itself.
    """
    now = datetime.now(UTC).replace(hour=4, minute=0)
    folder = tmp_path_factory.mktemp("clock")
    shifting = f"import time_machine\ntime_machine.travel({now.timestamp()}).start()\n"
    (folder / "sitecustomize.py").write_text(shifting)
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(now):
        patch.setenv("PYTHONPATH", str(folder))
        yield


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def steps() -> Iterator[tuple[str, str]]:
    for block in blocks("console"):
        for step in block.split("$ ")[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def matches(expected: str, got: str) -> bool:
    """Compare line by line; `...` stands for anything, and blanks at line ends do not count."""
    wanted, shown = (
        "\n".join(map(str.rstrip, text.strip().splitlines())) for text in (expected, got)
    )
    pattern = ".*".join(map(re.escape, wanted.split("...")))
    return re.fullmatch(pattern, shown, re.DOTALL) is not None


@pytest.mark.usefixtures("_clock")
def test_every_console_example_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DIXA_STATE_STORE", f"sqlite:///{tmp_path}/readme.db")
    monkeypatch.setenv("COLUMNS", "80")
    shown = list(steps())
    assert len(shown) >= 5
    for command, output in shown:
        printed = run(command, capsys)
        assert matches(output, printed), f"$ {command}\n{printed}"


def run(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command and return what it prints: in this process, unless it takes a shell."""
    if command.startswith("./scripts/run") and "|" not in command:
        assert cli.run(shlex.split(command)[1:]) == 0
        return capsys.readouterr().out
    words = command.replace("./scripts/run", "dixa-state")
    done = subprocess.run(
        ["bash", "-c", words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_python_example_runs(tmp_path: Path, data: Path) -> None:
    keeping, verifying = blocks("python")
    body = (data / "conversation_closed.json").read_bytes()
    keeping = keeping.replace("sqlite:///dixa-state.db", f"sqlite:///{tmp_path}/readme.db")
    exec(compile(keeping, "README", "exec"), {"body": body})  # noqa: S102
    secret = bytes.fromhex("00112233445566778899aabbccddeeff")
    header = signature.sign(body, secret, t=1)
    with open_tracker(f"sqlite:///{tmp_path}/other.db") as tracker:
        names = {"body": body, "header": header, "tracker": tracker}
        exec(compile(verifying, "README", "exec"), names)  # noqa: S102
        assert next(tracker.webhooks(70431)).webhook.signature == header


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_what_the_code_says() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "docs"))["reference"]()
    assert made == (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_the_layout_in_the_docs_names_every_module() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    layout = text[text.index("## Layout") :]
    package = ROOT / "dixa_state"
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    folders = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert [name for name in modules + folders if f"`{name}`" not in layout] == []


def test_the_changelog_has_a_section_for_what_is_coming() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_compose_file_gives_the_store_that_the_readme_names() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in ("POSTGRES_USER", "POSTGRES_DB"):
        assert re.search(rf"{name}: dixa_state\b", compose)
    assert "${POSTGRES_PASSWORD:-dixa_state}" in compose
    assert "127.0.0.1:${POSTGRES_PORT:-5432}:5432" in compose


def curls() -> list[str]:
    """Give the commands that the README lets a user try while the demo runs."""
    shown = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in shown if line.startswith("curl") and "/v1/" in line]


@pytest.mark.usefixtures("_clock")
@pytest.mark.timeout(120)
def test_the_demo_answers_every_question_that_the_readme_asks(tmp_path: Path) -> None:
    assert "./scripts/run demo\n" in blocks("sh")
    demo = subprocess.Popen(
        ["dixa-state", "demo", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert demo.stdout
        address = demo.stdout.readline().strip()
        asked = [line.replace("http://127.0.0.1:8000", address) for line in curls()]
        assert len(asked) == 4
        for words in asked:
            found = first_answer(words)
            assert '"csid":' in found or '"conversations":' in found, words
    finally:
        demo.send_signal(2)
        _, said = demo.communicate(timeout=60)
    assert demo.returncode == 0, said
    assert [
        line for line in curls() if line.replace("8000", address.rpartition(":")[2]) not in said
    ] == []
    assert list(tmp_path.iterdir()) == []


def first_answer(words: str) -> str:
    """Ask until there is an answer: the demo has only just begun. A stream is read for a while."""
    for _ in range(100):
        limited = words.replace("curl", "curl --max-time 1 --retry 0", 1)
        done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
        begins = ('{"org', '{"data":[{', '{"since')
        if 'data: {"org' in done.stdout or done.stdout.startswith(begins):
            return done.stdout
    return ""


@pytest.mark.usefixtures("_clock")
def test_webhooks_are_sent_as_the_readme_shows_from_a_second_shell(
    tmp_path: Path, data: Path
) -> None:
    [serving] = [block for block in blocks("sh") if block.endswith("serve\n")]
    [sending] = [block for block in blocks("sh") if "--send" in block]
    setting, _, serve = serving.partition("\n")
    subprocess.run(["bash", "-c", setting], cwd=tmp_path, check=True)
    words = [*serve.replace("./scripts/run", "dixa-state").split(), "--port", "0"]
    server = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr
        address = next(line.split()[2] for line in server.stderr if line.startswith("serving on"))
        words = sending.replace("http://127.0.0.1:8000", address.rstrip(";"))
        words = words.replace("./scripts/run", "dixa-state").replace("tests/data", str(data))
        done = subprocess.run(
            ["bash", "-euc", words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert re.findall(r"appended +(\d+)", done.stdout)[1] == "45"
        assert "refused      0" in done.stdout
    finally:
        server.terminate()
        server.communicate(timeout=60)
    assert server.returncode == 0
    with open_tracker(f"sqlite:///{tmp_path}/dixa-state.db") as tracker:
        assert tracker.webhook_at(1).webhook.received_at.hour == datetime.now(UTC).hour
