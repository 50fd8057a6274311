"""What the tests of projections share: a store with its views, its rows, and worlds to fill it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import batched  # type: ignore[attr-defined]
from threading import Event
from time import monotonic
from typing import Any

from dixa_state import ConversationTracker, Delivery, open_tracker
from dixa_state.bootstrap import open_place
from dixa_state.projection.projector import Projector
from dixa_state.projection.replay import replay
from dixa_state.projection.rows import TABLES
from dixa_state.projection.verify import Finding, verify
from dixa_state.projection.views import Progress, Views
