"""The command: which benchmarks there are, and how their results are told."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from folding import fold
from growing import MILLION, SIZES
from http_requests import NODE, get, http, quiet
from keeping import disk, ingest
from lagging import lag
from measuring import Result
from reading import growth, lists, status, ten_million
from replaying import project, replay
from rich.console import Console
from simulating import simulate
from starting import start
from stores import STORES, MakeStore

Benchmark = Callable[[str, MakeStore], Iterator[Result]]

BENCHMARKS: dict[str, Benchmark] = {
    "http": http,
    "quiet": quiet,
    "get": get,
    "ingest": ingest,
    "replay": replay,
    "project": project,
    "status": status,
    "list": lists,
    "growth": growth,
    "lag": lag,
    "fold": fold,
    "disk": disk,
    "simulate": simulate,
    "start": start,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS]))
@click.option("--store", "only", type=click.Choice([*STORES]), help="Only on this database.")
@click.option("--million", is_flag=True, help="Grow to a million conversations: 20 minutes, 12 GB.")
@click.option("--ten-million", "largest", is_flag=True, help="And ten million events: 30 GB.")
@click.option("--node", is_flag=True, help="Beside Fastify too: needs node.js and npm.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table.")
def main(  # noqa: PLR0913 — one for each option
    names: tuple[str, ...],
    only: str | None,
    json_file: Path | None,
    markdown: Path | None,
    *,
    million: bool,
    largest: bool,
    node: bool,
) -> None:
    """Measure all of it, or what is named."""
    if million:
        SIZES.append(MILLION)
    with tempfile.TemporaryDirectory() as folder:
        if node:
            os.environ[NODE] = folder
            shutil.copytree(Path(__file__).parent / "node", folder, dirs_exist_ok=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, check=True)
        results = _measured(names or BENCHMARKS, only, largest=largest)
    text = table(results)
    click.echo(text)
    if markdown:
        markdown.write_text(text + "\n", encoding="utf-8")
    if json_file:
        json_file.write_text(json.dumps([asdict(one) | {"met": one.met} for one in results]))


def _measured(names: Iterable[str], only: str | None, *, largest: bool) -> list[Result]:
    wanted = {name: BENCHMARKS[name] for name in names}
    if largest:
        wanted["ten million"] = ten_million
    say = Console(stderr=True, highlight=False).print
    results: list[Result] = []
    for store, opened in STORES.items():
        if only in (None, store):
            with opened() as make:
                for name, benchmark in wanted.items():
                    say(f"{name} on {store}…")
                    results += benchmark(store, make)
    return results


def table(results: list[Result]) -> str:
    """Tell results as Markdown: misses are shown as misses."""
    lines = [
        _machine(),
        "",
        "| what | store | ours | beside | ratio | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        lines += _lines(one)
    return "\n".join(lines)


def _machine() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}"
    )


def _lines(one: Result) -> Iterator[str]:
    verdict = {True: "met", False: "**missed**", None: ""}
    ours = f"{_number(one.ours)} {one.unit}"
    own = f"≤ {one.at_most:g} {one.unit}" if one.at_most is not None else ""
    if own or not one.beside:
        met = None if one.at_most is None else one.ours <= one.at_most
        yield f"| {one.name} | {one.store} | {ours} | {one.remark} | | {own} | {verdict[met]} |"
    for other in one.beside:
        ratio = one.ratio(other)
        wanted, met = "", None
        if other.at_least is not None:
            wanted, met = f"≥ {other.at_least:g}", ratio >= other.at_least
        if other.at_most is not None:
            wanted, met = f"≤ {other.at_most:g}", ratio <= other.at_most
        beside = f"{other.name}: {_number(other.value)}"
        yield (
            f"| {one.name} | {one.store} | {ours} | {beside} | {ratio:.2f} | {wanted} "
            f"| {verdict[met]} |"
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(prog_name="scripts/bench"))
