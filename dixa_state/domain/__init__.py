"""The pure core: what the events are, and how a history becomes a state.

None of its structs can come to hold itself, since each is made of what was there before. So they
are declared `gc=False`: the garbage collector does not look through those that a service keeps.
"""
