"""Search bodies: what is read, in whatever nesting, and what is refused with a clear message."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dixa_state import InvalidInputError
from dixa_state.questions import Asked, Search, SearchBody, read_search
from dixa_state.questions.search import LENGTHS, MOMENTS, OPERATORS, PRESENCE
from dixa_state.questions.search_body import EXAMPLES
from dixa_state.questions.search_values import DIXA_STATUSES

EIGHT = datetime.fromisoformat("2026-03-02T08:00:00Z")
NINE = datetime.fromisoformat("2026-03-02T09:00:00Z")


def one(condition: object) -> Asked:
    [asked] = read_search({"filters": {"conditions": [condition]}}).conditions
    return asked


def refused(body: object) -> str:
    with pytest.raises(InvalidInputError) as raised:
        read_search(body)
    message = str(raised.value)
    assert "\n" not in message
    message.encode()
    return message


@pytest.mark.parametrize("body", [{}, {"query": None}, {"filters": None}, {"filters": {}}])
def test_a_body_that_asks_for_nothing_finds_everything(body: dict[str, Any]) -> None:
    assert read_search(body) == Search()


def test_a_body_has_a_text_a_strategy_and_conditions() -> None:
    condition = {"field": {"_type": "AgentId", "operator": {"_type": "IsEmpty"}}}
    body = {
        "query": {"value": "tent", "exactMatch": True},
        "filters": {"strategy": "Any", "conditions": [condition]},
    }
    assert read_search(body) == Search("tent", True, "Any", (Asked("AgentId", "IsEmpty"),))


@pytest.mark.parametrize(
    "condition",
    [
        {"field": {"_type": "Status", "operator": {"_type": "IsOneOf", "values": ["Open"]}}},
        {"field": {"_type": "Status", "operator": {"_type": "IsOneOf", "value": "Open"}}},
        {"field": {"_type": "Status", "operator": {"_type": "IsOneOf", "value": ["OPEN"]}}},
        {"field": {"_type": "Status", "operator": "IsOneOf", "values": ["Open"]}},
        {"field": {"_type": "Status"}, "operator": {"_type": "IsOneOf", "values": ["Open"]}},
        {"_type": "Status", "operator": {"_type": "IsOneOf", "values": "Open"}},
        {"_type": "Status", "operator": "IsOneOf", "values": ["Open"]},
        {"field": "Status", "operator": "IsOneOf", "values": ["Open"]},
        {"field": "Status", "operator": {"_type": "IsOneOf", "value": "Open"}},
        {"field": "Status", "operator": "IsOneOf", "value": "Open", "values": None},
    ],
    ids=json.dumps,
)
def test_a_condition_is_read_in_every_nesting(condition: dict[str, Any]) -> None:
    assert one(condition) == Asked("Status", "IsOneOf", ("Open",))


@pytest.mark.parametrize(
    "ends",
    [
        {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z"},
        {"since": "2026-03-02T08:00:00Z", "until": "2026-03-02T09:00:00Z"},
        {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T10:00:00+01:00"},
        {"values": ["2026-03-02T08:00Z", "2026-03-02T09:00Z"]},
        {"value": ["2026-03-02 08:00", "2026-03-02 09:00"]},
    ],
    ids=json.dumps,
)
def test_both_ends_of_between_may_be_named_or_listed(ends: dict[str, Any]) -> None:
    condition = {"field": "ClosedDate", "operator": {"_type": "Between", **ends}}
    assert one(condition) == Asked("ClosedDate", "Between", since=EIGHT, until=NINE)


@pytest.mark.parametrize("name", ["value", "values", "from", "since", "start"])
def test_a_single_end_may_go_by_several_names(name: str) -> None:
    condition = {"field": "LastMessage", "operator": "Since", name: "2026-03-02T08:00:00Z"}
    assert one(condition) == Asked("LastMessage", "Since", since=EIGHT)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.5, 0.5),
        ("PT1H30M", 5_400.0),
        ("P1DT1S", 86_401.0),
        ("P2W", 1_209_600.0),
        ("PT0.25S", 0.25),
        ("P1D", 86_400.0),
        (10_000_000_000, 1e10),
    ],
)
def test_a_duration_is_seconds_or_iso_8601(value: object, seconds: float) -> None:
    condition = {"field": "Duration", "operator": "LongerThanOrEqualTo", "value": value}
    assert one(condition) == Asked("Duration", "LongerThanOrEqualTo", seconds=seconds)


@pytest.mark.parametrize(
    ("value", "text"),
    [("AU-1", "AU-1"), (5, "5"), (5.0, "5"), (0.5, "0.5"), (True, "true"), (-1, "-1")],
)
@pytest.mark.parametrize("name", ["id", "identifier"])
def test_a_custom_attribute_is_named_and_its_value_written_as_text(
    name: str, value: object, text: str
) -> None:
    condition = {
        "field": {
            "_type": "CustomAttribute",
            name: "order",
            "operator": {"_type": "IncludesAll", "values": [value]},
        }
    }
    assert one(condition) == Asked("CustomAttribute", "IncludesAll", (text,), attribute="order")


STATUS = {"_type": "Status", "operator": {"_type": "IsOneOf", "values": ["Open"]}}
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "search: expected an object, got a list"),
        (None, "search: expected an object, got nothing"),
        ("x\ny", r"search: expected an object, got 'x\ny'"),
        ({"filter": {}}, "search: expected nothing but query and filters, got 'filter'"),
        ({"query": "tent"}, "query: expected an object, got 'tent'"),
        ({"query": {}}, "query.value: expected a text of at most 200 characters, got nothing"),
        (
            {"query": {"value": 5}},
            "query.value: expected a text of at most 200 characters, got 5",
        ),
        (
            {"query": {"value": " ".join(chr(0x4E00 + n) for n in range(51))}},
            "query.value: expected at most 50 words, got 51",
        ),
        (
            {"query": {"value": "x", "exactMatch": "yes"}},
            "query.exactMatch: expected true or false, got 'yes'",
        ),
        (
            {"query": {"value": "x", "fuzzy": True}},
            "query: expected nothing but value and exactMatch, got 'fuzzy'",
        ),
        ({"filters": {"strategy": "all"}}, "filters.strategy: expected All or Any, got 'all'"),
        ({"filters": {"conditions": {}}}, "filters.conditions: expected a list, got an object"),
        (
            {"filters": {"conditions": [{"field": STATUS}] * 51}},
            "filters.conditions: expected at most 50, got 51",
        ),
    ],
    ids=str,
)
def test_a_body_that_is_none_is_refused(body: object, message: str) -> None:
    assert refused(body) == message


NEEDS_TIME = "a time such as 2026-03-02T08:00:00.000Z"
SECONDS = "seconds from 0 to 10000000000, or a duration such as PT1H30M"
CSID = "a whole number from 1 to 9223372036854775807"
VALUE = "a text that is not empty, a number, true or false"


def flat(field: str, operator: str, **parts: object) -> dict[str, object]:
    return {"field": field, "operator": operator, **parts}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (5, ": expected an object, got 5"),
        ({}, f": expected a field, one of {', '.join(OPERATORS)}, got nothing"),
        (flat("Colour", "IsOneOf"), f": expected a field, one of {', '.join(OPERATORS)}, got 'Co"),
        (
            {"field": {"_type": ["Status"]}},
            f": expected a field, one of {', '.join(OPERATORS)}, got a list",
        ),
        (
            flat("Status", "IsEmpty"),
            ": expected an operator that Status takes, IsOneOf, IsNotOneOf, got 'IsEmpty'",
        ),
        (
            flat("TagId", "IsOneOf", values=["x"]),
            (
                ": expected an operator that TagId takes, IncludesAll, IncludesOne, ExcludesAll, "
                "ExcludesOne, IsEmpty, IsNotEmpty, got 'IsOneOf'"
            ),
        ),
        (
            {"field": "Status"},
            ": expected an operator that Status takes, IsOneOf, IsNotOneOf, got nothing",
        ),
        (flat("Status", "IsOneOf"), ": expected 1 to 200 values, got 0"),
        (flat("Status", "IsOneOf", values=[]), ": expected 1 to 200 values, got 0"),
        (flat("AgentId", "IsOneOf", values=["x"] * 201), ": expected 1 to 200 values, got 201"),
        (
            flat("Status", "IsOneOf", values=["Open", "Asleep"]),
            (
                ".values[1]: expected one of Open, AwaitingPending, Pending, Closed, "
                "open, pending, closed, abandoned, got 'Asleep'"
            ),
        ),
        (
            flat("Status", "IsOneOf", value="Open", values=["Open"]),
            ": expected value or values, got both",
        ),
        (
            flat("Status", "IsOneOf", value="Open", negate=True),
            ": expected nothing else with Status IsOneOf, got 'negate': true",
        ),
        (
            flat("AgentId", "IsEmpty", values=["x"]),
            ": expected nothing else with AgentId IsEmpty, got 'values': a list",
        ),
        (
            flat("AgentId", "IsOneOf", value="x", id="y"),
            ": expected nothing else with AgentId IsOneOf, got 'id': 'y'",
        ),
        (
            {"field": STATUS, "operator": {"_type": "IsOneOf", "values": ["Open"]}},
            ": expected 'operator' once, got it twice",
        ),
        (
            {"_type": "Status", **flat("Status", "IsOneOf", value="Open")},
            ": expected nothing else with Status IsOneOf, got '_type': 'Status'",
        ),
        (
            flat("AgentId", "IsOneOf", values=["x", 5]),
            ".values[1]: expected a text that is not empty, got 5",
        ),
        (
            flat("TagId", "IncludesAll", values=[""]),
            ".values[0]: expected a text that is not empty, got ''",
        ),
        (
            flat("QueueId", "IsOneOf", values=[DEEP]),
            ".values[0]: expected a text that is not empty, got a list",
        ),
        (
            flat("ConversationId", "IsOneOf", values=[2**63]),
            f".values[0]: csid: expected {CSID}, got {2**63}",
        ),
        (
            flat("ConversationId", "IsOneOf", values=["9" * 5_000]),
            f".values[0]: csid: expected {CSID}, got '9999",
        ),
        (
            flat("ConversationId", "IsOneOf", values=[10**5_000]),
            f".values[0]: expected {CSID}, got a number beyond all bounds",
        ),
        (
            flat("ConversationId", "IsOneOf", values=[True]),
            f".values[0]: csid: expected {CSID}, got True",
        ),
        (
            flat("ConversationId", "IsOneOf", values=[float("nan")]),
            f".values[0]: csid: expected {CSID}, got nan",
        ),
        (flat("ClosedDate", "Since"), ": expected a value of Since, once, got 0 times"),
        (flat("ClosedDate", "Since", value=5), f": expected {NEEDS_TIME}, got 5"),
        (flat("ClosedDate", "Since", value="today"), f": expected {NEEDS_TIME}, got 'today'"),
        (
            flat("ClosedDate", "Since", value="0001-01-01T00:00:00+14:00"),
            f": expected {NEEDS_TIME}, got '0001-01-01T00:00:00+14:00'",
        ),
        (
            flat("ClosedDate", "Since", value="2026-03-02", since="2026-03-02"),
            ": expected a value of Since, once, got 2 times",
        ),
        (
            flat("ClosedDate", "Until", since="2026-03-02"),
            ": expected a value of Until, once, got 0 times",
        ),
        (
            flat("ClosedDate", "Between", since="2026-03-02"),
            ": expected from and to of Between, once, got 1 times",
        ),
        (
            flat("ClosedDate", "Between", values=["2026-03-02"] * 3),
            ": expected from and to of Between, once, got 3 times",
        ),
        (
            flat("ClosedDate", "Between", **{"from": "2026-03-02", "to": "2026-03-01"}),
            (
                ": expected a beginning before the end 2026-03-01T00:00:00.000Z, "
                "got 2026-03-02T00:00:00.000Z"
            ),
        ),
        (
            flat("Duration", "LongerThanOrEqualTo", values=[1, 2]),
            ": expected one value, got 2",
        ),
        *(
            (
                flat("Duration", "LongerThanOrEqualTo", value=value),
                f".values[0]: expected {SECONDS}, got {came}",
            )
            for value, came in [
                (-1, "-1"),
                (10**30, "a number beyond all bounds"),
                (float("inf"), "inf"),
                (float("nan"), "nan"),
                (True, "true"),
                ("P", "'P'"),
                ("PT", "'PT'"),
                ("P1M", "'P1M'"),
                ("P999999999W", "'P999999999W'"),
                ("90", "'90'"),
            ]
        ),
        (
            flat("CustomAttribute", "IsEmpty"),
            ": expected the id or the identifier of a custom attribute, got neither",
        ),
        (
            flat("CustomAttribute", "IsEmpty", id="a", identifier="b"),
            ": expected the id or the identifier of a custom attribute, got both",
        ),
        *(
            (
                flat("CustomAttribute", "IsOneOf", id="a", values=[value]),
                f".values[0]: expected {VALUE}, got {came}",
            )
            for value, came in [
                ({}, "an object"),
                (None, "nothing"),
                ("", "''"),
                (float("nan"), "nan"),
                (10**5_000, "a number beyond all bounds"),
            ]
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_a_condition_that_cannot_be_is_refused_by_its_name(condition: object, message: str) -> None:
    body = {"filters": {"conditions": [STATUS, {"field": STATUS}, condition]}}
    came = refused(body)
    assert came.startswith(f"filters.conditions[2]{message}")
    assert len(came) < 500


def test_values_have_a_bound_together_too() -> None:
    conditions = [flat("AgentId", "IsOneOf", values=["x"] * 200)] * 6
    assert refused({"filters": {"conditions": conditions}}) == (
        "filters.conditions: expected at most 1000 values in all of them, got 1200"
    )


NAMES = [
    *("query", "value", "exactMatch", "filters", "strategy", "conditions", "field", "operator"),
    *("_type", "values", "from", "to", "since", "until", "start", "end", "id", "identifier"),
    *("All", "Any", "PT1H", "2026-03-02", "70431", "Open", "IsOneOf", "Between", *OPERATORS),
]
words = st.sampled_from(NAMES + [operator for some in OPERATORS.values() for operator in some])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
odd = anything | words | st.sampled_from([2**64, 10**5_000, "\udcff", "\0", "9" * 5_000, 1e308])
parts = st.dictionaries(words, odd | st.lists(odd, max_size=2), max_size=3)
nearly = st.builds(
    lambda field, operator, parts: {"field": field, "operator": operator} | parts,
    st.sampled_from(sorted(OPERATORS)) | odd,
    words | parts | odd,
    parts,
)
bodies = anything | st.fixed_dictionaries(
    {"filters": st.fixed_dictionaries({"conditions": st.lists(nearly | odd, max_size=3)})},
    optional={"query": parts | odd},
)


@given(bodies)
@settings(max_examples=500)
def test_whatever_comes_is_a_search_or_refused_in_one_line(body: object) -> None:
    try:
        read_search(body)
    except InvalidInputError as error:
        said = str(error).encode()
    else:
        said = b""
    assert b"\n" not in said


# What is described to users is read.

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
times = st.datetimes().map(lambda time: time.isoformat(timespec="milliseconds") + "Z")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Status": st.sampled_from([*DIXA_STATUSES, "open", "pending", "closed", "abandoned"]),
    "ConversationId": st.integers(1, 2**63 - 1),
    "CustomAttribute": texts | st.booleans() | st.integers(-(2**53), 2**53),
}


@st.composite
def described(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(sorted(OPERATORS)))
    operator = draw(st.sampled_from(OPERATORS[field]))
    told: dict[str, Any] = {"_type": operator}
    if operator == "Between":
        told["from"], told["to"] = sorted([draw(times), draw(times)])
    elif operator in MOMENTS:
        told["value"] = draw(times)
    elif operator in LENGTHS:
        told["value"] = draw(st.integers(0, 10**10) | st.sampled_from(["PT5M", "P1DT2H"]))
    elif operator not in PRESENCE:
        values = st.lists(VALUES.get(field, texts), min_size=1, max_size=4)
        told["values"] = draw(values)
    named = {"id": draw(texts)} if field == "CustomAttribute" else {}
    return {"field": {"_type": field, "operator": told, **named}}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "query": st.fixed_dictionaries(
                {"value": texts}, optional={"exactMatch": st.booleans()}
            ),
            "filters": st.fixed_dictionaries(
                {"conditions": st.lists(described(), max_size=3)},
                optional={"strategy": st.sampled_from(["All", "Any"])},
            ),
        },
    )
)
def test_what_is_described_is_read_and_means_the_same(body: dict[str, Any]) -> None:
    assert SearchBody.model_validate(body).to_search() == read_search(body)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_bodies_as_they_are_described(example: dict[str, Any]) -> None:
    search = read_search(example)
    assert SearchBody.model_validate(example).to_search() == search
    assert search.conditions


def test_the_description_names_every_field_and_every_operator_that_it_takes() -> None:
    schema = SearchBody.model_json_schema()
    parts = schema["$defs"]

    def types(ref: dict[str, Any]) -> list[str]:
        kind = parts[ref["$ref"].rpartition("/")[2]]["properties"]["_type"]
        return kind.get("enum") or [kind["const"]]

    described = {}
    for option in parts["SearchCondition"]["properties"]["field"]["oneOf"]:
        operator = parts[option["$ref"].rpartition("/")[2]]["properties"]["operator"]
        takes = {name for one in operator.get("anyOf", [operator]) for name in types(one)}
        described |= dict.fromkeys(types(option), takes)
    assert described == {field: set(takes) for field, takes in OPERATORS.items()}
    assert schema["examples"] == EXAMPLES
