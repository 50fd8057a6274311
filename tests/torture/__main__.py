"""Try what is promised the hard way: kills, faults, crowds, disorder, nonsense.

Each command is a module of tests/torture with a click command named `command`, loaded when it runs.
"""

from importlib import import_module
from pathlib import Path

import click

PARTS = Path(__file__).resolve().parent
COMMANDS = ("kill", "faults", "concurrency", "order", "fuzz", "soak")


class Torture(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands that are there."""
        del ctx
        return [name for name in COMMANDS if (PARTS / f"{name}.py").is_file()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(cmd_name).command
        return found


@click.command(cls=Torture, context_settings={"help_option_names": ["-h", "--help"]})
def torture() -> None:
    """Try what dixa_state promises the hard way; exit code 1 if a promise is broken."""


if __name__ == "__main__":
    torture(prog_name="scripts/torture")
