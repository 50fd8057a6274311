"""What commands share: types of arguments, options, and how they open a store."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial, wraps
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from zoneinfo import ZoneInfo

import click
from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dixa_state.bootstrap import open_place, open_tracker, open_views, require_lasting
from dixa_state.cli.output import progress_bar, say
from dixa_state.dixa.signature import Secrets, parse_secrets
from dixa_state.dixa.streams import read_csid
from dixa_state.errors import InvalidInputError, StoreError
from dixa_state.questions import Question, Reader
from dixa_state.questions.periods import read_moment
from dixa_state.questions.question import describe_errors
from dixa_state.settings import Settings, require_known
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Progress, Views
from dixa_state.views.projector import Projector
from dixa_state.views.replay import replay

Command = Callable[..., Any]
Given = dict[str, Any]
"""The values that were given on the command line, by the names of the question's fields."""

Q = TypeVar("Q", bound=Question[Any])
T = TypeVar("T")

FAR_BEHIND = 20_000
"""Events behind which the views are rebuilt: on all cores, and each conversation folded once."""

_NOT_HERE = {"min_position", "page_limit", "page_key"}
"""Fields without a use here: commands read all pages, of views that are up to date."""

_OPTIONS = {"organization": "--org"}
_METAVARS = {
    "organization": "ID|NAME",
    "queue": "ID|NAME|none",
    "assignee": "ID|NAME|EMAIL|none",
    "agent": "ID|NAME|none",
    "requester": "ID|EMAIL",
    "tag": "NAME|none",
    "text": "WORDS",
    "since": "T",
    "until": "T",
    "compare": "SPAN",
    "time_zone": "ZONE",
}


class Parsed(click.ParamType[T]):
    """A value that is parsed from its text; what cannot be parsed is wrong usage."""

    def __init__(self, name: str, parse: Callable[[Any], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse the value; a default is none that is parsed."""
        try:
            return self._parse(value)
        except InvalidInputError as error:
            self.fail(str(error).removeprefix("csid: "), param, ctx)


def _moment(value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        return value
    return read_moment(value, datetime.now(UTC), ZoneInfo("UTC"))


TIME = Parsed("time", _moment)
"""A moment: RFC 3339, or `yesterday`, `-7d`, `2026-W10` and so on, in UTC."""

NUMBER = Parsed("number", read_csid)
"""The number of a conversation, or of a body in quarantine."""


def options_of(
    question: type[Question[Any]],
    *,
    arguments: Sequence[str] = (),
    optional: Sequence[str] = (),
    hidden: Sequence[str] = (),
) -> Callable[[Command], Command]:
    """Add an option for each field of a question, and pass what was given as `given`.

    Fields in `arguments` are arguments, those in `optional` arguments that may be left out, those
    in `hidden` neither.
    """
    fields = {
        name: field
        for name, field in question.model_fields.items()
        if name not in _NOT_HERE and name not in hidden
    }
    if "organization" in fields:  # what is asked comes first in the help
        fields["organization"] = fields.pop("organization")

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**parameters: Any) -> Any:
            found = {name: parameters.pop(name) for name in fields}
            given = {name: value for name, value in found.items() if value not in (None, (), False)}
            return command(given=given, **parameters)

        decorated: Command = run
        for name, field in reversed(fields.items()):
            if name in (*arguments, *optional):
                kind = NUMBER if _inner(field.annotation)[0] is int else click.STRING
                required = name in arguments
                decorated = click.argument(name, type=kind, required=required)(decorated)
            else:
                decorated = _option(name, field)(decorated)
        return decorated

    return decorate


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    """Return the option of a field: its name, its choices and its help are the field's."""
    option = _OPTIONS.get(name, f"--{(field.alias or name).replace('_', '-')}")
    kind, several = _inner(field.annotation)
    settings: dict[str, Any] = {"help": field.description, "multiple": several}
    if field.annotation is bool:
        settings = {"help": field.description, "is_flag": True}
    elif kind is datetime:
        settings |= {"type": TIME, "metavar": "T"}
    elif get_origin(kind) is Literal:
        settings["type"] = click.Choice(get_args(kind))
        if isinstance(field.default, str):
            settings |= {"default": field.default, "show_default": True}
    else:
        settings["metavar"] = _METAVARS.get(name, "NAME")
    return click.option(option, name, **settings)


def _inner(kind: Any) -> tuple[Any, bool]:
    """Return the type of a field's values, and whether it takes several."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _inner(inner[0])
    if origin is tuple:
        return _inner(inner[0])[0], True
    if origin in (Union, UnionType):
        return _inner(next(one for one in inner if one is not NoneType))
    return kind, False


def asked(question: type[Q], given: Given) -> Q:
    """Return the question that was asked; what no question can have is wrong usage."""
    try:
        return question.model_validate(given)
    except ValidationError as error:
        message, _ = describe_errors(error.errors())
        raise click.UsageError(message) from error


with_store = click.option(
    "--store", metavar="URL", help="Where events are kept.  [env: DIXA_STATE_STORE]"
)
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened(
    store: str | None, *, create: bool = False, judging: bool = False
) -> Iterator[ConversationTracker]:
    """Open the tracker that the settings and `--store` name.

    `judging` is for the commands that judge signatures: no other fails by a wrong secret.
    """
    settings = read_settings()
    secrets = read_secrets(settings) if judging else Secrets()
    url = store or settings.store
    require_lasting(url)
    with open_tracker(url, create=create, grace=settings.grace, secrets=secrets) as tracker:
        yield tracker


def _update(tracker: ConversationTracker, views: Views, store: str | None) -> None:
    """Update the views to the newest event, if no projector is running."""
    begun = views.progress().position
    total = tracker.event_recorder.max_notification_id() or 0
    if total - begun > FAR_BEHIND:
        with suppress(StoreError):  # another is at it, or an event that only can be skipped
            rebuild(tracker, views, store)
        begun = views.progress().position
    if total > begun:
        with progress_bar("Projecting", total - begun) as move:
            Projector(tracker, views).catch_up(lambda position: move(position - begun))


def rebuild(tracker: ConversationTracker, views: Views, store: str | None) -> Progress:
    """Rebuild all views, with a progress bar."""
    settings = read_settings()
    total = tracker.event_recorder.max_notification_id() or 0
    worker = partial(open_place, store or settings.store, grace=settings.grace)
    say(f"building the views of {total:,} events")
    with progress_bar("Replaying", total) as move:
        return replay(tracker, views, worker, move)


@contextmanager
def opened_reader(
    store: str | None, *, project: bool = True, judging: bool = False
) -> Iterator[Reader]:
    """Open a reader; with `project`, on views that are up to date."""
    with opened(store, judging=judging) as tracker:
        views = open_views(tracker.event_recorder)
        if project:
            _update(tracker, views, store)
        yield Reader(tracker, views)


def read_secrets(settings: Settings) -> Secrets:
    """Read the webhook secrets, where there are any."""
    try:
        return settings.parsed("webhook_secrets", parse_secrets)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error


def read_settings() -> Settings:
    """Read the settings; a wrong one is wrong usage."""
    try:
        require_known([*os.environ, *dotenv_values(".env")])
        return Settings()
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f".env: expected text in UTF-8, got something else: {error}"
        ) from error
    except ValidationError as error:
        wrong = error.errors()[0]
        if not wrong["loc"]:  # of a file that holds a secret: what came is all settings
            raise click.UsageError(wrong["msg"].removeprefix("Value error, ")) from None
        name = f"DIXA_STATE_{wrong['loc'][0]}".upper()
        raise click.UsageError(f"{name}: {wrong['msg']}, got {wrong['input']!r}") from error
