"""A simulator of Dixa: realistic webhooks, and the truth about what they report.

It has a model of its own of what happens in a support desk, and records what is true while it
happens. It shares nothing with the fold, so that it can judge it.

The truth is JSON objects, each with its `kind`:

- `conversation`: the fields of `status --json` as of the end, without those that depend on how the
  webhooks came (`position`, `known_at`, `counts.late`); its `transitions` (`sequence`, `from`,
  `to`, `at`, `event`, `event_id`, `seconds_in_previous`); what was never delivered in `dropped`
  (`event_id`, `event` as `event_fqn` has it, `at`, the status that it moved `to` if it did, and
  whether a later body `revealed` that status); `revealed`: whether the present status was, null if
  its own webhook was delivered; and `certain`: the fields, other than the status, that can surely
  be known from what was delivered.
- `enduser`, `ip`: the fields of `bans --json --history`, without those that depend on delivery, and
  `dropped`.
"""

from dixa_state.simulate.delivery import Simulated, json_line, pretty_json
from dixa_state.simulate.desk import FIRST_CSID, Record, bodies
from dixa_state.simulate.plan import Plan

__all__ = ["FIRST_CSID", "Plan", "Record", "Simulated", "bodies", "json_line", "pretty_json"]
