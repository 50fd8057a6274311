"""The command line: data to stdout, progress and messages to stderr.

Exit codes: 0 done, 1 a failure named in one line, 2 wrong usage, 3 not found.
"""

import gc
import os
import sys
from collections import UserDict
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click

from dixa_state.cli.output import program, say
from dixa_state.errors import AmbiguousError, DixaStateError, InvalidInputError, NotFoundError

FAILED, WRONG_USAGE, NOT_FOUND, INTERRUPTED = 1, 2, 3, 130


def main() -> NoReturn:
    """Run the command line; every failure that we foresee becomes one line and an exit code."""
    gc.freeze()  # what is imported by now is no garbage; to look through it is a tenth of a start
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before we began
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal knows every letter
    code = run(sys.argv[1:])
    with suppress(OSError):
        sys.stdout.close()  # else Python tries once more to write what could not be written
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    try:
        code = commands.main(arguments, prog_name=program(), standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        return WRONG_USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("dixa-state: interrupted; what is stored stays, the same command goes on from there")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # whoever reads, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except (OSError, DixaStateError) as error:
        say(f"dixa-state: {error}")
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: Exception) -> int:
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return WRONG_USAGE if isinstance(error, AmbiguousError | InvalidInputError) else FAILED


class _Commands(UserDict[str, Any]):
    """Commands by name; one starts a tenth faster without the modules of the others."""

    def __getitem__(self, name: str) -> click.Command:
        """Import a command."""
        module, _, attribute = self.data[name].partition(".")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), attribute)
        return command


@click.group(
    commands=_Commands(
        audit="asking.audit",
        bans="asking.bans",
        demo="serving.demo",
        doctor="doctor.doctor",
        events="asking.events",
        ingest="store.ingest_command",
        list="asking.list_command",
        quarantine="store.quarantine",
        replay="upkeep.replay_command",
        schema="store.schema",
        send="sending.send_command",
        serve="serving.serve",
        simulate="simulation.simulate",
        sla="asking.sla",
        stats="asking.stats",
        status="asking.status",
        timeline="asking.timeline",
        verify="upkeep.verify_command",
        why="asking.why",
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="dixa-state", prog_name="dixa-state")
def commands() -> None:
    """Keep every Dixa webhook, and show the state of any conversation at any moment."""
