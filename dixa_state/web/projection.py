"""The projector in a thread of the service, started again when it fails."""

import logging
from threading import Event as Signal
from threading import Thread

from dixa_state.errors import SchemaError, StoreUnavailableError
from dixa_state.views.projector import Projector

_log = logging.getLogger("dixa_state.web")
_PAUSE = 1.0


class Projection:
    """Runs the projector while the service runs."""

    def __init__(self, projector: Projector) -> None:
        """Run this projector; where another process has the lead, it stands by.

        `outdated` says that the views are of another version, and wait for a replay.
        """
        self._projector = projector
        self._stop = Signal()
        self._thread = Thread(target=self._run, name="projector", daemon=True)
        self.failure: str | None = None
        self.outdated = False

    @property
    def alive(self) -> bool:
        """Return whether it runs, and has made progress since it last failed."""
        return self._thread.is_alive() and self.failure is None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, once the page under way is written."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._projector.run(self._stop, self._progressed, self._waits)
            except SchemaError as error:  # until a replay has made views of this version
                if self.failure != str(error):
                    _log.warning("the projector cannot go on", extra={"why": str(error)})
                self.failure, self.outdated = str(error), True
                self._stop.wait(_PAUSE)
            except Exception as error:  # noqa: BLE001 — whatever it is, the service goes on
                self.failure, self.outdated = f"{type(error).__name__}: {error}", False
                _log.exception("the projector starts again")
                self._stop.wait(_PAUSE)

    def _progressed(self, _position: int | None) -> None:
        self.failure, self.outdated = None, False

    def _waits(self, error: StoreUnavailableError) -> None:
        if self.failure is None:
            _log.warning("the projector waits for the store", extra={"why": str(error)})
        self.failure, self.outdated = str(error), False
