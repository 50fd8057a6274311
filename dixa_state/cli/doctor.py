"""The command that says on one page how everything is."""

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
from pydantic import SecretStr

from dixa_state.bootstrap import dialect, redacted
from dixa_state.cli.options import opened_reader, read_secrets, read_settings, with_json, with_store
from dixa_state.cli.output import print_one, say
from dixa_state.cli.tables import span
from dixa_state.domain.timestamps import format_time
from dixa_state.errors import DixaStateError
from dixa_state.questions import Reader
from dixa_state.questions.changes import health
from dixa_state.settings import PREFIX, Settings

FAILED = 1
_LITTLE_SPACE = 1 << 30
_MUCH_LAG = 1_000

Found = tuple[str, Any, str | None]
"""What was looked at, how it is, and what is wrong with it, if anything."""


@click.command()
@with_store
@with_json
def doctor(store: str | None, *, as_json: bool) -> int:
    """Check settings, store, views, disk and clock.

    Exits with 1 if something is wrong. Writes nothing. `verify` checks the events themselves.
    """
    settings = read_settings()
    found = list(_diagnose(settings, store or settings.store))
    problems = [problem for *_, problem in found if problem]
    fields = [(name, value) for name, value, _ in found]
    print_one({**dict(fields), "problems": problems}, fields, as_json=as_json)
    for problem in problems:
        say(f"problem: {problem}")
    return FAILED if problems else 0


def _diagnose(settings: Settings, store: str) -> Iterator[Found]:
    yield "version", f"dixa-state {version('dixa-state')}, Python {platform.python_version()}", None
    yield "settings", ", ".join(_given(settings)) or "all by default", None
    yield "webhook secrets", *_secrets(settings)
    yield "store", redacted(store), None
    try:
        with opened_reader(store, project=False) as reader:
            yield from _in_store(reader)
    except DixaStateError as error:
        yield "events", None, str(error)
    if dialect(store) == "sqlite":
        folder = Path(unquote(urlsplit(store).path.removeprefix("/"))).parent
        free = shutil.disk_usage(folder if folder.is_dir() else Path.cwd()).free
        little = free < _LITTLE_SPACE
        yield "disk", f"{free / 2**30:,.1f} GiB free", "little disk is left" if little else None


def _secrets(settings: Settings) -> tuple[str, str | None]:
    try:
        known = read_secrets(settings)
    except click.UsageError as error:
        return "wrong", error.message
    if known or settings.allow_unsigned:
        return "set", None
    return "none", "no webhook secret is set: `serve` will not start"


def _in_store(reader: Reader) -> Iterator[Found]:
    at, now = health(reader), reader.now()
    yield "events", at.store_position, None
    age = at.last_event_age
    yield "last webhook", None if age is None else f"{span(age)} ago", None
    newest = reader.tracker.webhook_at(at.store_position).webhook if at.store_position else None
    ahead = newest and (newest.received_at - now).total_seconds()
    wrong = ahead and ahead > 1 and f"the clock is {span(ahead)} behind the newest webhook"
    yield "clock", format_time(now), wrong or None
    lag = at.store_position if at.lag is None else at.lag
    behind = lag > _MUCH_LAG and f"the views are {lag:,} events behind: is `serve` running?"
    yield "views", f"{lag:,} events behind", at.outdated or behind or None
    poison = at.poison and f"{at.poison} events could not be folded: `stats` names them"
    yield "poison", at.poison, poison or None
    verified, findings = reader.views.verified()
    when = f"{span((now - verified).total_seconds())} ago" if verified else "never"
    differs = findings and f"`verify` found differences {when}: {findings:,}"
    yield "verified", when, differs or None
    waiting = len(reader.tracker.quarantined())
    set_aside = waiting and f"{waiting} bodies wait in quarantine: `quarantine list` shows them"
    yield "quarantine", waiting, set_aside or None


def _given(settings: Settings) -> Iterator[str]:
    """Yield the settings that are not the default; secrets by their name only."""
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        secret = isinstance(value, SecretStr) or name == "store"
        yield f"{PREFIX}{name.upper()}" + ("" if secret else f"={value}")
