"""The command that sends webhooks to a service, and what `simulate --send` shares with it."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING

import click

from dixa_state.cli.options import read_secrets, read_settings, with_json
from dixa_state.cli.output import print_one, say
from dixa_state.cli.store import read_sources, reading_progress, with_anyway
from dixa_state.cli.tables import count_fields
from dixa_state.dixa.signature import parse_secrets
from dixa_state.errors import InvalidInputError
from dixa_state.files.ingest import begun_with_webhooks, until_broken

if TYPE_CHECKING:
    from dixa_state.files.sending import Target

FAILED = 1
_SHOWN = 20


with_secret = click.option(
    "--secret",
    metavar="HEX",
    help="What to sign with.  [default: the first in DIXA_STATE_WEBHOOK_SECRETS]",
)


@click.command("send")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…|-")
@click.option("--to", "address", required=True, metavar="URL", help="The address of the service.")
@with_secret
@with_anyway
@with_json
def send_command(
    paths: tuple[str, ...], address: str, secret: str | None, *, anyway: bool, as_json: bool
) -> int:
    """Send webhook bodies to a service, signed as Dixa signs them.

    From the same files that `ingest` reads; a file without a webhook among its first 20 bodies is
    refused. What the service cannot store at the moment (503, or no answer) is sent again, a few
    times. A URL without a path stands for that of /webhooks/dixa.
    """
    target = open_target(address, secret)
    sources, failures = read_sources(paths), list[str]()
    begun = (source if anyway else begun_with_webhooks(source) for source in sources)
    bodies = chain.from_iterable(until_broken(one, failures) for one in begun)
    with reading_progress("Sending", sources) as advance:
        code = send_all((body.raw for body in bodies), target, advance, as_json=as_json)
    for failure in failures:
        say(f"dixa-state: {failure}")
    return FAILED if failures else code


def open_target(address: str, secret: str | None) -> "Target":
    """Return where to send; a wrong address or secret is wrong usage."""
    from dixa_state.files.sending import read_target  # noqa: PLC0415 — loads an HTTP client

    try:
        secrets = parse_secrets(secret) if secret else read_secrets(read_settings())
        return read_target(address, secrets)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error


def send_all(
    bodies: Iterable[bytes],
    target: "Target",
    advance: Callable[[int], None] = lambda _more: None,
    *,
    as_json: bool = False,
) -> int:
    """Send bodies, print how many ended how, and return the exit code."""
    from dixa_state.files.sending import send  # noqa: PLC0415 — loads an HTTP client

    started = monotonic()
    counts = Counter(sent=0, appended=0, duplicate=0, quarantined=0, refused=0, retries=0)
    reasons: Counter[str] = Counter()
    try:
        for sent in send(bodies, target):
            counts.update({"sent": 1, sent.kind: 1, "retries": sent.retries})
            if sent.reason:
                reasons[f"{sent.kind}: {sent.reason}"] += 1
            advance(1)
    finally:
        seconds = round(monotonic() - started, 3)
        document = {**counts, "seconds": seconds}
        print_one(document, count_fields(document), as_json=as_json)
        for reason, count in reasons.most_common(_SHOWN):
            say(f"{count:,} {reason}")
    return FAILED if counts["refused"] else 0
