"""The read side: rows made from states, kept up to date by a projector, rebuilt by replay."""
