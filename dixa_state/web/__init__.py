"""HTTP: the receiver of webhooks, the query API, the live stream, and what operators look at."""
