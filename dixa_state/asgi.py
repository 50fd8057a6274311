"""Composition of the service: from settings to an ASGI application.

Apart from `bootstrap`, so that the library and the other commands need not load a web framework.
"""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from dixa_state.bootstrap import open_place, open_tracker, open_views, require_lasting
from dixa_state.dixa.signature import parse_secrets
from dixa_state.errors import DixaStateError, InvalidInputError
from dixa_state.settings import Settings
from dixa_state.web.app import Application
from dixa_state.web.handover import channel
from dixa_state.web.logs import configure
from dixa_state.web.policy import Policy, is_loopback, parse_authorizations, parse_tokens
from dixa_state.web.processes import ServiceProcess
from dixa_state.web.projection import Run, elsewhere, project_until_end
from dixa_state.web.reader_process import answer_readers
from dixa_state.web.service import Service

_log = logging.getLogger("dixa_state.web")


@contextmanager
def open_application(settings: Settings, project: Run | None = None) -> Iterator[Application]:
    """Open the store that the settings name, made where there is none, and give what serves it.

    `project` keeps the views up to date, by default in a thread. Raises what `open_tracker` and
    `open_policy` raise. Views of another version stop no webhook: only questions about them get an
    error, until a replay.
    """
    policy = open_policy(settings)
    require_lasting(settings.store)
    with open_tracker(settings.store, grace=settings.grace, secrets=policy.secrets) as tracker:
        views = open_views(tracker.event_recorder)
        try:
            service = Service(tracker, views, policy, project)
            yield Application(service, settings.root_path, settings.cors_origins or "")
        finally:
            views.close()


def processes(
    settings: Settings,
) -> tuple[ServiceProcess[Connection], ServiceProcess[socket.socket]]:
    """Return the processes of the projector and of the readers."""
    return (
        ServiceProcess("projector", partial(_project, settings), Pipe),
        ServiceProcess("readers", partial(_serve_readers, settings), channel),
    )


def _project(settings: Settings, end: Connection) -> None:
    """Keep the views up to date in this process."""
    configure(settings.log_format, settings.log_level)
    project_until_end(partial(open_place, settings.store, grace=settings.grace), end)


def _serve_readers(settings: Settings, end: socket.socket) -> None:
    """Answer readers in this process, on connections that come from that of the webhooks."""
    configure(settings.log_format, settings.log_level)
    try:
        with open_application(settings, elsewhere) as app:
            answer_readers(app, end, trusted_proxies=settings.trusted_proxies)
    except DixaStateError as error:
        _log.warning("readers are not answered here", extra={"why": str(error)})


def open_policy(settings: Settings) -> Policy:
    """Read from the settings who may send and who may read.

    Raises `InvalidInputError` for secrets or tokens of a wrong form, which it does not show, and
    for settings that would let strangers in.
    """
    tolerance = settings.signature_tolerance
    policy = Policy(
        secrets=settings.parsed("webhook_secrets", parse_secrets),
        allow_unsigned=settings.allow_unsigned,
        tolerance=None if tolerance is None else timedelta(seconds=tolerance),
        authorizations=settings.parsed("webhook_authorization", parse_authorizations),
        tokens=(
            *settings.parsed("write_tokens", partial(parse_tokens, may_write=True)),
            *settings.parsed("api_tokens", parse_tokens),
        ),
        max_body=settings.max_body,
    )
    _require_safe(settings, policy)
    return policy


def _require_safe(settings: Settings, policy: Policy) -> None:
    if not policy.secrets and not policy.allow_unsigned:
        raise InvalidInputError(
            "DIXA_STATE_WEBHOOK_SECRETS: expected the secret of a webhook subscription, got none. "
            "Dixa shows it, in hex, where the webhook is set up; several, comma-separated, allow "
            "rotation. For a trial without signatures, set DIXA_STATE_ALLOW_UNSIGNED=true"
        )
    if not policy.tokens and not is_loopback(settings.host):
        raise InvalidInputError(
            "DIXA_STATE_API_TOKENS: expected a token of your choice, since others can reach "
            f"{settings.host}, got none; without one, only 127.0.0.1 may be listened on"
        )
