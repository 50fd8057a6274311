"""The servers that are compared: ours, and what a team would write instead, each under 100 lines.

All verify the signature and answer when the event is on disk. Each prints its port on a line and
serves until it is told to stop.
"""

import json
import sys

from pydantic import SecretStr

from dixa_state.cli.serving import open_service
from dixa_state.settings import Settings

SECRET = "00112233445566778899aabbccddeeff"  # noqa: S105 — for measuring only


def announce(port: int) -> None:
    """Print the port, on which whoever started this waits."""
    print(json.dumps(port), flush=True)  # noqa: T201


def ours(store: str) -> None:
    """Serve as `dixa-state serve` does, with views kept up."""
    settings = Settings.model_construct(store=store, allow_unsigned=False, port=0)
    settings.webhook_secrets = SecretStr(SECRET)
    with open_service(settings) as (address, run, _):
        run(lambda: announce(int(address.rpartition(":")[2])))


def main(kind: str, store: str) -> None:
    """Serve."""
    if kind == "ours":
        ours(store)
    elif kind.startswith("by hand"):
        import by_hand  # noqa: PLC0415 — each process loads what it serves with

        by_hand.serve(store)
    else:
        import fastapi_peer  # noqa: PLC0415

        fastapi_peer.serve(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
