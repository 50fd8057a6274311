"""The one exception tree: a class for each thing that a caller can act on."""


class DixaStateError(Exception):
    """The root: catch this to catch everything that dixa_state raises on purpose."""


class InvalidInputError(DixaStateError, ValueError):
    """Something that was given does not fit; the message says what was expected and what came."""


class NotFoundError(DixaStateError, LookupError):
    """The store holds nothing by that name, or nothing yet at the moment asked for."""


class UnknownNameError(NotFoundError, InvalidInputError):
    """A name that no queue, agent or tag ever had; the message names the nearest."""


class AmbiguousError(DixaStateError, LookupError):
    """Several organizations have what was asked for; name one of them."""


class SignatureError(DixaStateError):
    """A body is not proven to come from Dixa; `reason` is a stable word for logs and metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(DixaStateError):
    """The event store could not do what was asked."""


class StoreUnavailableError(StoreError):
    """The event store cannot be reached or is locked; the same call may succeed later."""


class PermissionDeniedError(StoreUnavailableError):
    """The database role lacks a right that this takes."""


class LockTimeoutError(StoreUnavailableError):
    """Another transaction holds a lock for longer than this one may wait for it."""


class UnfoldableEventError(StoreError):
    """A stored event cannot be read or folded by this program; the message names it."""


class OverloadedError(DixaStateError):
    """More came at once than this process takes; the same call may succeed in a moment."""


class QueryTimeoutError(OverloadedError):
    """A query took longer than it may; it has ended."""


class SchemaError(StoreError):
    """The store's schema is missing, newer than this program, or not a dixa_state store."""
