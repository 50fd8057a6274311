"""What a command of the harness found, for people and for programs."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

CONSOLE = Console(stderr=True, highlight=False)


@dataclass
class Report:
    """One run: what was tried with which options, what was counted, and what was broken.

    `rows` are the parts of a run, for example one for each fault.
    """

    command: str
    options: Mapping[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    begun: float = field(default_factory=monotonic)

    def document(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return {
            "command": self.command,
            "options": dict(self.options),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "seconds": round(monotonic() - self.begun, 1),
            "figures": self.figures,
            "rows": self.rows,
            "findings": self.findings,
        }

    def markdown(self) -> str:
        """Give it as a page."""
        document = self.document()
        options = " ".join(f"--{name} {value}" for name, value in self.options.items())
        facts = {key: document[key] for key in ("machine", "python", "seconds")} | self.figures
        lines = [f"# `torture {self.command} {options}`", "", "| what | figure |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in facts.items()]
        lines += ["", *_table(self.rows), "", "## Findings", ""]
        lines += [f"- {finding}" for finding in self.findings] or ["None."]
        return "\n".join(lines) + "\n"

    def conclude(self, path: Path | None) -> int:
        """Print it, write it if that was asked for, and give the exit code."""
        click.echo(self.markdown())
        if path is not None:
            document = json.dumps(self.document(), indent=2, default=str)
            path.with_suffix(".md").write_text(self.markdown(), encoding="utf-8")
            path.with_suffix(".json").write_text(document + "\n", encoding="utf-8")
        return 1 if self.findings else 0


def _table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return lines + ["| " + " | ".join(str(row.get(n, "")) for n in names) + " |" for row in rows]


def with_seed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--seed`."""
    option = click.option("--seed", type=int, default=1, show_default=True, metavar="S")
    return option(command)


def with_report(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--report`."""
    option = click.option(
        "--report",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write FILE.md and FILE.json there.",
        metavar="FILE",
    )
    return option(command)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show how far a run is; what is given is called after each part with a word on it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[word]}"),
    )
    with Progress(*columns, console=CONSOLE, disable=not CONSOLE.is_terminal) as bar:
        task = bar.add_task(description, total=total, word="")
        yield lambda word: bar.update(task, advance=1, word=word)
