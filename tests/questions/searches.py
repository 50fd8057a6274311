"""Search bodies: every field and operator that Dixa's search knows, and values to look for."""

from typing import Any

from hypothesis import strategies as st
from places import CSIDS, moments

Body = dict[str, Any]
AMONG = ("IsOneOf", "IsNotOneOf")
PRESENCE = ("IsEmpty", "IsNotEmpty")
SEVERAL = ("IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne")
TIMES = ("Since", "Until", "Between")
LENGTHS = ("LongerThanOrEqualTo", "ShorterThanOrEqualTo")
OPERATORS = {
    **dict.fromkeys(["Status", "Channel", "Direction", "ConversationId"], AMONG),
    **dict.fromkeys(["AgentId", "QueueId", "ContactId"], AMONG + PRESENCE),
    **dict.fromkeys(["CreationDate", "LastActivity"], TIMES),
    **dict.fromkeys(["ClosedDate", "AssignedDate", "LastMessage"], TIMES + PRESENCE),
    "TagId": SEVERAL + PRESENCE,
    "CustomAttribute": AMONG + SEVERAL + PRESENCE,
    "Duration": LENGTHS,
}
VALUES: dict[str, list[Any]] = {
    "Status": ["open", "pending", "closed", "abandoned", "Open", "Closed", "AwaitingPending"],
    "Channel": ["EMAIL", "Email", "WidgetChat", "widget_chat", "PSTN_PHONE"],
    "Direction": ["INBOUND", "Inbound", "OUTBOUND"],
    "AgentId": ["ida", "other-ida", "nameless", "Ida"],
    "QueueId": ["q1", "q2", "q3", "q4", "Support"],
    "ContactId": ["per", "mette", "bo@example.com", "Per Sand"],
    "ConversationId": [*CSIDS, 2.0, 99],
    "TagId": ["tent", "t1", "boat", "oar", "t3", "sail"],
    "CustomAttribute": ["AU-1", "AU-2", "5", 5, 5.0, "true", True, '{"a":[1]}', "nothing"],
}
SECONDS = {0: 0.0, 1: 1.0, 10: 10.0, 600.5: 600.5, 1e9: 1e9, "PT10M0.5S": 600.5, "P1D": 86_400.0}


def condition(field: str, operator: str, *values: object, **more: object) -> Body:
    """Build a condition; that of a custom attribute has an id, `order` if no other is given."""
    named = {"id": more.pop("id", "order")} if field == "CustomAttribute" else {}
    listed = {"values": list(values)} if values else {}
    return {"field": {"_type": field, "operator": {"_type": operator, **listed, **more}, **named}}


def body(*conditions: Body, strategy: str = "All") -> Body:
    """Build a body of conditions."""
    return {"filters": {"strategy": strategy, "conditions": list(conditions)}}


@st.composite
def conditions(draw: st.DrawFn, field: str | None = None) -> Body:
    field = field or draw(st.sampled_from(sorted(OPERATORS)))
    operator = draw(st.sampled_from(OPERATORS[field]))
    named = {}
    if field == "CustomAttribute":
        named["id"] = draw(st.sampled_from(["order", "size", "a1"]))
    if operator in PRESENCE:
        return condition(field, operator, **named)
    if operator == "Between":
        since, until = sorted([draw(moments).isoformat(), draw(moments).isoformat()])
        return condition(field, operator, **{"from": since, "to": until})
    if operator in TIMES:
        return condition(field, operator, value=draw(moments).isoformat())
    if operator in LENGTHS:
        return condition(field, operator, value=draw(st.sampled_from(list(SECONDS))))
    values = draw(st.lists(st.sampled_from(VALUES[field]), min_size=1, max_size=3))
    return condition(field, operator, *values, **named)


bodies = st.fixed_dictionaries(
    {
        "filters": st.builds(
            lambda strategy, conditions: {"strategy": strategy, "conditions": conditions},
            st.sampled_from(["All", "Any"]),
            st.lists(conditions(), max_size=3),
        )
    },
    optional={
        "query": st.fixed_dictionaries(
            {"value": st.sampled_from(["tent", "LEAK", "boat oa", "sand", "bo@"])},
            optional={"exactMatch": st.booleans()},
        )
    },
)
