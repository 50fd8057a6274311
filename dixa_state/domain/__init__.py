"""The pure core: what the events are, and how a history becomes a state."""
