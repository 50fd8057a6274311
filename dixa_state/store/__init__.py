"""The write side: the event store, its append, its databases, and the quarantine."""
