"""The program: `dixa-state`, or `python -m dixa_state`."""

from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal


def main() -> None:
    """Run the command line; interrupted while it is still imported, it ends without a traceback."""
    is_default = getsignal(SIGINT) is default_int_handler
    if is_default:
        signal(SIGINT, SIG_DFL)
    from dixa_state.cli import main as run  # noqa: PLC0415 — which takes half a second

    if is_default:
        signal(SIGINT, default_int_handler)
    run()


if __name__ == "__main__":
    main()
