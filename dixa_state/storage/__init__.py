"""Where events are kept: a recorder per database, its statements in `sql/`."""
