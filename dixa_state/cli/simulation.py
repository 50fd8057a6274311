"""The command that makes webhooks up."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

import click
from pydantic_core import to_json

from dixa_state.cli.options import TIME
from dixa_state.cli.output import progress_bar
from dixa_state.cli.sending import open_target, send_all, with_secret
from dixa_state.simulate import Plan, Simulated, bodies, json_line, pretty_json
from dixa_state.simulate.data import Document
from dixa_state.simulate.plan import MONDAY, STORIES, USUAL_STORIES

_EVERY = 5_000


@click.command()
@click.argument("out", metavar="[OUT|-]", required=False)
@click.option("--conversations", type=int, required=True, metavar="N", help="How many begin.")
@click.option("--seed", type=int, required=True, metavar="S", help="Same seed, same bytes.")
@click.option("--days", type=float, default=7.0, show_default=True, help="How long it all takes.")
@click.option(
    "--start",
    type=TIME,
    default=MONDAY,
    metavar="T",
    help=f"When it begins.  [default: {MONDAY:%Y-%m-%d}]",
)
@click.option(
    "--duplicates", type=float, default=0.0, metavar="P", help="Fraction of bodies sent again."
)
@click.option(
    "--shuffle", type=float, default=0.0, metavar="SECONDS", help="How late a body may arrive."
)
@click.option(
    "--late",
    type=float,
    default=1.0,
    metavar="P",
    help="Fraction of bodies that `--shuffle` is of.",
)
@click.option("--drop", type=float, default=0.0, metavar="P", help="Fraction of bodies never sent.")
@click.option("--only", multiple=True, metavar="EVENT", help="Send this `event_fqn` only; repeat.")
@click.option(
    "--story",
    "stories",
    multiple=True,
    type=click.Choice(list(STORIES)),
    default=USUAL_STORIES,
    metavar="NAME",
    help=f"Include what else may happen: {', '.join(STORIES)}; repeat.",
)
@click.option("--truth", metavar="FILE", help="Write there what the true state is.")
@click.option("--send", "address", metavar="URL", help="Send them to a service, as `send` does.")
@with_secret
def simulate(
    out: str | None, truth: str | None, address: str | None, secret: str | None, **options: Any
) -> int:
    """Write simulated webhooks as JSON Lines, in order of arrival.

    The same options give the same bytes. The truth, JSON Lines too, is the state of every
    conversation and ban as of the end, whatever was sent late, twice or never.
    """
    if out is None and address is None:
        raise click.UsageError("expected OUT, - or --send URL")
    if truth is not None and _same_place(out, truth):
        raise click.UsageError(f"--truth: expected another place than OUT, got {truth}")
    target = open_target(address, secret) if address else None
    plan = Plan(**options)
    with _opened(out) as lines, _opened(truth) as truths:
        record = (lambda document: truths.write(to_json(document) + b"\n")) if truths else None
        written = _written(_watched(plan, bodies(plan, record)), lines)
        if target:
            return send_all(map(pretty_json, written), target)
        deque(written, maxlen=0)
    return 0


def _written(made: Iterable[Simulated], lines: IO[bytes] | None) -> Iterator[Document]:
    for simulated in made:
        if lines:
            lines.write(json_line(simulated.body) + b"\n")
        yield simulated.body


def _same_place(out: str | None, truth: str) -> bool:
    if out is None:
        return False
    if "-" in (out, truth):
        return out == truth
    return Path(out).resolve() == Path(truth).resolve()


def _opened(place: str | None) -> AbstractContextManager[IO[bytes] | Any]:
    return nullcontext() if place is None else click.open_file(place, "wb")


def _watched(plan: Plan, simulated: Iterable[Simulated]) -> Iterator[Simulated]:
    """Show how much of the simulated time has passed, and how many bodies it gave."""
    number, whole = 0, (plan.end - plan.start).total_seconds()
    with progress_bar("Simulating", int(whole)) as move:
        for number, item in enumerate(simulated, 1):
            if number % _EVERY == 0:
                move((item.at - plan.start).total_seconds(), number)
            yield item
        move(whole, number)
