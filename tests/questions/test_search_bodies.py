"""Search bodies: what is accepted, and what is refused with the name of what is wrong in it."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema
from searches import OPERATORS, Body, bodies, body, condition

from dixa_state import InvalidInputError
from dixa_state.questions import SearchBody
from dixa_state.questions.question import describe_errors


class _Schema(GenerateJsonSchema):
    # a discriminator is a hint; unions that share a member go without
    ignored_warning_kinds = {"skipped-choice", "skipped-discriminator"}  # noqa: RUF012 — theirs


SCHEMA = SearchBody.model_json_schema(schema_generator=_Schema)
VALID = jsonschema_rs.validator_for(SCHEMA)
CSID = "a whole number from 1 to 9223372036854775807"
TIME = "a time such as 2026-03-02T08:00:00Z, 2026-03-02"
DURATION = "seconds, or a duration such as PT1H30M"
VALUE = "a text that is not empty, a number, true or false"


@pytest.mark.parametrize(
    ("one", "name", "read"),
    [
        (
            condition("Status", "IsOneOf", "OPEN", "closed", "CLOSED"),
            "values",
            ("Open", "closed", "Closed"),
        ),
        (condition("ConversationId", "IsOneOf", 1, "2", 3.0), "values", (1, 2, 3)),
        (
            condition("CustomAttribute", "IncludesAll", "x", 5, 5.0, 0.5, True, -1, 1e3),
            "values",
            ("x", "5", "5", "0.5", "true", "-1", "1000"),
        ),
        *(
            (condition("Duration", "LongerThanOrEqualTo", value=value), "value", seconds)
            for value, seconds in [
                (0, 0.0),
                (0.5, 0.5),
                ("PT1H30M", 5_400.0),
                ("P1DT1S", 86_401.0),
                ("P2W", 1_209_600.0),
                ("PT0.25S", 0.25),
                (10_000_000_000, 1e10),
            ]
        ),
    ],
    ids=str,
)
def test_a_value_is_read_in_each_of_its_spellings(one: Body, name: str, read: object) -> None:
    search = SearchBody.model_validate(body(one))
    assert search.filters is not None
    assert search.filters.conditions is not None
    assert getattr(search.filters.conditions[0].field.operator, name) == read


@pytest.mark.parametrize("empty", [{}, {"query": None}, {"filters": None}, {"filters": {}}, body()])
def test_a_body_that_asks_for_nothing_has_no_conditions(empty: Body) -> None:
    assert SearchBody.model_validate(empty).conditions(0) == []


STATUS = condition("Status", "IsOneOf", "Open")
AT = "filters.conditions.0.field"
REFUSED: list[tuple[Any, str, str]] = [
    ([], "", "an object"),
    (None, "", "an object"),
    ("x\ny", "", "an object"),
    ({"filter": {}}, "filter", "no parameter of this name"),
    ({"x\ny": {}}, r"x\ny", "no parameter of this name"),
    ({"query": "tent"}, "query", "an object"),
    ({"query": {}}, "query.value", "a value"),
    ({"query": {"value": 5}}, "query.value", "a valid string"),
    ({"query": {"value": "x" * 201}}, "query.value", "at most 200 characters"),
    ({"query": {"value": "x", "exactMatch": "yes"}}, "query.exactMatch", "a valid boolean"),
    ({"query": {"value": "x", "fuzzy": True}}, "query.fuzzy", "no parameter of this name"),
    ({"filters": {"strategy": "all"}}, "filters.strategy", "'All' or 'Any'"),
    ({"filters": {"conditions": {}}}, "filters.conditions", "a list"),
    (body(*[STATUS] * 51), "filters.conditions", "at most 50 values"),
    (body(*[condition("AgentId", "IsOneOf", *["x"] * 200)] * 6), "filters", "at most 1000 values"),
    ({"filters": {"conditions": [5]}}, "filters.conditions.0", "an object"),
    ({"filters": {"conditions": [{}]}}, AT, "a value"),
    ({"filters": {"conditions": [{"field": {}}]}}, AT, "an object with `_type`"),
    ({"filters": {"conditions": [{"field": "Status"}]}}, AT, "an object"),
    (body(STATUS | {"negate": True}), "filters.conditions.0.negate", "no parameter of this name"),
    (body({"field": {"_type": "Status"}}), f"{AT}.Status.operator", "a value"),
    (body(condition("Colour", "IsOneOf")), AT, "one of 'Status', 'Channel', 'Direction'"),
]
REFUSED += [
    (body(one), f"{AT}.{where}", expected)
    for one, where, expected in [
        (condition("Status", "IsEmpty"), "Status.operator._type", "'IsOneOf' or 'IsNotOneOf'"),
        (condition("TagId", "IsOneOf", "x"), "TagId.operator", "one of 'IncludesAll', 'Includes"),
        (condition("CreationDate", "IsEmpty"), "CreationDate.operator", "one of 'Since', 'Until',"),
        (condition("Status", "IsOneOf"), "Status.operator.values", "a value"),
        (condition("Status", "IsOneOf", values=[]), "Status.operator.values", "at least 1 values"),
        (
            condition("AgentId", "IsOneOf", *["x"] * 201),
            "AgentId.operator.IsOneOf.values",
            "at most 200 values",
        ),
        (
            condition("Status", "IsOneOf", "Open", "Asleep"),
            "Status.operator.values.1",
            "one of Open, AwaitingPending, Pending, Closed, open, pending, closed, abandoned",
        ),
        (
            condition("Status", "IsOneOf", "Open", negate=True),
            "Status.operator.negate",
            "no parameter of this name",
        ),
        (
            condition("AgentId", "IsEmpty", "x"),
            "AgentId.operator.IsEmpty.values",
            "no parameter of this name",
        ),
        *(
            (condition(field, operator, "x", value), f"{where}.values.1", expected)
            for field, operator, where, value, expected in [
                ("AgentId", "IsOneOf", "AgentId.operator.IsOneOf", 5, "a valid string"),
                ("AgentId", "IsOneOf", "AgentId.operator.IsOneOf", "\udcff", "a valid string"),
                ("TagId", "IncludesAll", "TagId.operator.IncludesAll", "", "at least 1 characters"),
            ]
        ),
        *(
            (
                condition("ConversationId", "IsOneOf", value),
                "ConversationId.operator.values.0",
                CSID,
            )
            for value in (0, 2**63, "9" * 5_000, True, 1.5, float("nan"), None, "x")
        ),
        (condition("ClosedDate", "Since"), "ClosedDate.operator.Since.value", "a value"),
        *(
            (condition("ClosedDate", "Since", value=value), "ClosedDate.operator.Since.value", TIME)
            for value in (5, "soon", None, "0001-01-01T00:00:00+14:00")
        ),
        (
            condition("ClosedDate", "Between", **{"from": "2026-03-02"}),
            "ClosedDate.operator.Between.to",
            "a value",
        ),
        (
            condition("ClosedDate", "Between", **{"from": "2026-03-02", "to": "2026-03-01"}),
            "ClosedDate.operator.Between",
            "from before to",
        ),
        *(
            (
                condition("Duration", "LongerThanOrEqualTo", value=value),
                "Duration.operator.value",
                expected,
            )
            for value, expected in [
                (-1, "greater than or equal to 0"),
                (float("nan"), "greater than or equal to 0"),
                (10**400, "a valid number"),
                (float("inf"), "less than or equal to 10000000000"),
                ("P999999999W", "less than or equal to 10000000000"),
                *((value, DURATION) for value in (True, "P", "PT", "P1M", "90")),
            ]
        ),
        (
            {"field": {"_type": "CustomAttribute", "operator": {"_type": "IsEmpty"}}},
            "CustomAttribute.id",
            "a value",
        ),
        *(
            (
                condition("CustomAttribute", "IsOneOf", value),
                "CustomAttribute.operator.IsOneOf.values.0",
                VALUE,
            )
            for value in ({}, None, "", float("nan"), 10**400)
        ),
    ]
]


@pytest.mark.parametrize(("wrong", "where", "expected"), REFUSED, ids=lambda it: str(it)[:60])
def test_a_body_that_is_none_is_refused_by_the_name_of_what_is_wrong(
    wrong: object, where: str, expected: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        SearchBody.model_validate(wrong)
    message, details = describe_errors(raised.value.errors())
    assert message.startswith(f"{where}: expected {expected}".removeprefix(": "))
    assert details[0]["parameter"] == where
    assert len(message) < 600


def test_words_have_a_bound() -> None:
    many = " ".join(chr(0x4E00 + n) for n in range(51))
    search = SearchBody.model_validate({"query": {"value": many}})
    with pytest.raises(InvalidInputError, match=r"^query.value: expected at most 50 words, got 51"):
        search.conditions(0)


NAMES = [
    *("query", "value", "exactMatch", "filters", "strategy", "conditions", "field", "operator"),
    *("_type", "values", "from", "to", "id", "All", "Any", "PT1H", "2026-03-02", "70431", "Open"),
    *OPERATORS,
    *(operator for some in OPERATORS.values() for operator in some),
]
ODD = [None, True, 5, -0.5, 2**64, 10**400, float("nan"), 1e308, "\udcff", "\0", "x\ny", [], {}]
words = st.sampled_from(NAMES)
anything = st.recursive(
    words | st.sampled_from(ODD) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def spoilt(value: Any, data: st.DataObject) -> Any:
    """Replace a part of a body, or add one."""
    if not value or not isinstance(value, dict | list) or data.draw(st.integers(0, 5)) == 0:
        return data.draw(anything)
    if isinstance(value, list):
        return [spoilt(value[0], data), *value[1:]]
    name = data.draw(st.sampled_from(sorted(value)) | words)
    return value | {name: spoilt(value.get(name), data)}


@given(data=st.data())
@settings(max_examples=4 * settings().max_examples)
def test_whatever_comes_is_refused_in_one_line_or_described_and_read_back_as_the_same(
    data: st.DataObject,
) -> None:
    given_body = data.draw(bodies)
    if data.draw(st.booleans()):
        given_body = spoilt(given_body, data)
    try:
        search = SearchBody.model_validate(given_body)
    except ValidationError as error:
        message, details = describe_errors(error.errors())
        assert "\n" not in message
        (message + json.dumps(details, ensure_ascii=False)).encode()
        return
    written = json.loads(json.dumps(search.model_dump(mode="json", by_alias=True)))
    assert VALID.is_valid(written), written
    assert SearchBody.model_validate(written) == search


@given(bodies)
def test_bodies_with_every_field_are_described_and_accepted(good: Body) -> None:
    assert VALID.is_valid(json.loads(json.dumps(good)))
    SearchBody.model_validate(good)


@pytest.mark.parametrize("example", SCHEMA["examples"])
def test_the_examples_are_bodies_with_conditions(example: Body) -> None:
    assert VALID.is_valid(example)
    assert SearchBody.model_validate(example).conditions(0)


def test_the_description_names_every_field_and_every_operator_that_it_takes() -> None:
    parts = SCHEMA["$defs"]

    def types(ref: dict[str, Any]) -> list[str]:
        kind = parts[ref["$ref"].rpartition("/")[2]]["properties"]["_type"]
        return kind.get("enum") or [kind["const"]]

    described = {}
    for option in parts["SearchCondition"]["properties"]["field"]["oneOf"]:
        operator = parts[option["$ref"].rpartition("/")[2]]["properties"]["operator"]
        takes = {name for one in operator.get("oneOf", [operator]) for name in types(one)}
        described |= dict.fromkeys(types(option), takes)
    assert described == {field: set(takes) for field, takes in OPERATORS.items()}
