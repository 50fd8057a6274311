"""An event-sourced state tracker for Dixa conversations.

It keeps every webhook for ever, folds them into the state of each conversation, and shows that
state at any moment: as of a time, and as known at a time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dixa_state.errors import (
    AmbiguousError,
    DixaStateError,
    InvalidInputError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    SchemaError,
    SignatureError,
    StoreError,
    StoreUnavailableError,
    UnfoldableEventError,
)

if TYPE_CHECKING:
    from dixa_state.bootstrap import open_tracker
    from dixa_state.store.append import Outcome
    from dixa_state.store.events import Webhook
    from dixa_state.tracker import ConversationTracker
else:
    # When they are asked for: what a command imports must not keep it from being interrupted.
    _MODULES = {
        "ConversationTracker": "tracker",
        "Outcome": "store.append",
        "Webhook": "store.events",
        "open_tracker": "bootstrap",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "AmbiguousError",
    "ConversationTracker",
    "DixaStateError",
    "InvalidInputError",
    "NotFoundError",
    "Outcome",
    "OverloadedError",
    "PermissionDeniedError",
    "SchemaError",
    "SignatureError",
    "StoreError",
    "StoreUnavailableError",
    "UnfoldableEventError",
    "Webhook",
    "open_tracker",
]
