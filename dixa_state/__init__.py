"""An event-sourced state tracker for Dixa conversations.

It keeps every webhook for ever, folds them into the state of each conversation, and shows that
state at any moment: as of a time, and as known at a time.
"""

from dixa_state.bootstrap import open_tracker
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
from dixa_state.store.append import Outcome
from dixa_state.store.events import Webhook
from dixa_state.tracker import ConversationTracker

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
