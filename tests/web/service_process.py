"""The service as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import SECRET

PROGRAM = str(Path(sys.executable).with_name("dixa-state"))


@contextmanager
def service(
    folder: Path,
    words: Sequence[str] = (PROGRAM, "serve", "--port", "0"),
    pass_fds: Sequence[int] = (),
    **settings: str,
) -> Iterator["subprocess.Popen[str]"]:
    """Run the service on a store in a folder; its standard error is a pipe."""
    own = {"WEBHOOK_SECRETS": SECRET, "STORE": f"sqlite:///{folder}/store.db", **settings}
    environment = os.environ | {f"DIXA_STATE_{name}": value for name, value in own.items()}
    options: dict[str, Any] = {"env": environment, "cwd": folder, "pass_fds": pass_fds}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def address_of(process: "subprocess.Popen[str]") -> str:
    """Wait until it serves, and return where."""
    assert process.stderr
    line = next(line for line in process.stderr if "serving on" in line)
    return line.split()[2].rstrip(";")
