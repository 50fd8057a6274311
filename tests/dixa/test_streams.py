import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dixa_state.dixa.streams import (
    MAX_CSID,
    ban_stream,
    conversation_stream,
    organization_stream,
    read_csid,
    stream_part,
)
from dixa_state.domain.timestamps import format_time, parse_time, shorten
from dixa_state.errors import InvalidInputError

ORGANIZATION = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
PART = re.compile(r"[!-.0-~]+")
LONGEST_NAME = 300

csids = st.integers(1, MAX_CSID)
ids = st.none() | st.text(st.characters(), max_size=400) | st.text("-/% ~aA\0é\ud800", max_size=8)

HOSTILE_IDS = [
    None, "-", "%2D", "--", "~", "%", "%%", "/", "//", "../..", "a/b", "a%2Fb", "a b", "a\0b", "\0",
    "é", "e\u0301", "日本", "\ud800", "\udfff", " ", "A", "a", "a~b", "a%7Eb", "jon@example.com",
    "+4520000001", "2001:db8::1", "x" * 140, "x" * 141, "x" * 10_000, "x" * 10_001, "é" * 10_000,
]  # fmt: skip


def parts_of(name: str) -> list[str]:
    assert len(name) <= LONGEST_NAME
    parts = name.split("/")
    assert all(PART.fullmatch(part) for part in parts)
    return parts


def complaint(read: Callable[[str], object], value: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(value)
    return str(caught.value)


def test_streams_are_named_after_their_subject() -> None:
    assert conversation_stream(ORGANIZATION, 70431) == f"conversation/{ORGANIZATION}/70431"
    assert organization_stream(ORGANIZATION) == f"organization/{ORGANIZATION}"
    assert ban_stream("enduser", ORGANIZATION, "353dffe8") == f"enduser/{ORGANIZATION}/353dffe8"
    assert ban_stream("ip", ORGANIZATION, "203.0.113.7") == f"ip/{ORGANIZATION}/203.0.113.7"
    assert ban_stream("ip", ORGANIZATION, "2001:db8::1") == f"ip/{ORGANIZATION}/2001:db8::1"
    assert ban_stream("enduser", None, "jon@example.com") == "enduser/-/jon@example.com"


def test_a_missing_id_is_told_from_an_id_that_is_a_dash() -> None:
    assert stream_part(None) == "-"
    assert stream_part("-") == "%2D"
    assert conversation_stream(None, 7) == "conversation/-/7"
    assert conversation_stream("-", 7) == "conversation/%2D/7"


def test_an_empty_id_is_a_missing_one() -> None:
    assert stream_part("") == stream_part(None)


def test_a_long_id_is_cut_and_told_apart_by_a_digest() -> None:
    one, other = stream_part("x" * 10_000), stream_part("x" * 10_001)

    assert one.startswith("x" * 100 + "~")
    assert one != other


def test_an_id_that_looks_like_a_cut_one_is_another() -> None:
    cut = stream_part("x" * 10_000)

    assert stream_part(cut) != cut


@given(ids, csids, ids.filter(bool))
def test_names_fit_any_database_whatever_the_ids(
    organization: str | None, csid: int, subject: str
) -> None:
    assert parts_of(conversation_stream(organization, csid))[2:] == [str(csid)]
    assert len(parts_of(organization_stream(organization))) == 2
    assert len(parts_of(ban_stream("enduser", organization, subject))) == 3
    assert len(parts_of(ban_stream("ip", organization, subject))) == 3


def test_hostile_ids_fit_too_and_no_two_share_a_name() -> None:
    subjects = [identifier for identifier in HOSTILE_IDS if identifier]
    names = [
        ban_stream("enduser", organization, subject)
        for organization, subject in product(HOSTILE_IDS, subjects)
    ]

    assert all(len(parts_of(name)) == 3 for name in names)
    assert len(set(names)) == len(names)


@given(ids, ids)
@example("x" * 10_000, stream_part("x" * 10_000))
@example("é" * 100, stream_part("é" * 100))
def test_different_ids_give_different_names(one: str | None, other: str | None) -> None:
    assert (stream_part(one) == stream_part(other)) == ((one or None) == (other or None))


@given(st.tuples(ids, csids), st.tuples(ids, csids))
def test_different_conversations_have_different_streams(
    one: tuple[str | None, int], other: tuple[str | None, int]
) -> None:
    same = (one[0] or None, one[1]) == (other[0] or None, other[1])

    assert (conversation_stream(*one) == conversation_stream(*other)) == same


@pytest.mark.parametrize(
    ("value", "csid"),
    [
        (1, 1),
        (70431, 70431),
        (MAX_CSID, MAX_CSID),
        (70431.0, 70431),
        ("70431", 70431),
        ("0070431", 70431),
        (str(MAX_CSID), MAX_CSID),
    ],
)
def test_a_whole_number_is_a_csid_in_any_of_its_spellings(value: object, csid: int) -> None:
    assert read_csid(value) == csid
    assert type(read_csid(value)) is int


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (None, "nothing"),
        (0, "0"),
        (-70431, "-70431"),
        (MAX_CSID + 1, "9223372036854775808"),
        (70431.5, "70431.5"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (True, "True"),
        ("", "''"),
        ("-1", "'-1'"),
        ("70431.0", "'70431.0'"),
        ("٣", "'٣'"),
        ("²", "'²'"),
        (" 70431 ", "' 70431 '"),
        (str(MAX_CSID + 1), "'9223372036854775808'"),
        ([70431], "[70431]"),
        ({"id": 1}, "{'id': 1}"),
    ],
)
def test_anything_else_is_none_and_the_message_says_so(value: object, came: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_csid(value)

    assert str(caught.value) == (
        f"csid: expected a whole number from 1 to 9223372036854775807, got {came}"
    )


def test_ten_thousand_digits_are_no_csid_and_the_message_stays_short() -> None:
    message = complaint(read_csid, "7" * 10_000)

    assert message.endswith("got '" + "7" * 78 + "…")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-02T08:00:00.000Z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00:00.581Z", datetime(2026, 3, 2, 8, 0, 0, 581_000, tzinfo=UTC)),
        ("2026-03-02T08:00:00Z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00Z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02t08:00:00z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02 08:00:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        (" 2026-03-02T08:00:00Z\n", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00:00+02:00", datetime(2026, 3, 2, 6, tzinfo=UTC)),
        ("2026-03-02T08:00:00-0230", datetime(2026, 3, 2, 10, 30, tzinfo=UTC)),
        ("2026-03-02T08:00:00.1Z", datetime(2026, 3, 2, 8, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-03-02T08:00:00.123456Z", datetime(2026, 3, 2, 8, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-02T08:00:00.123456789Z", datetime(2026, 3, 2, 8, 0, 0, 123_456, tzinfo=UTC)),
        ("2021-12-01T12:46:36.581Z[GMT]", datetime(2021, 12, 1, 12, 46, 36, 581_000, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("0001-01-01T00:00:00.000Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc_in_any_of_its_spellings(text: str, time: datetime) -> None:
    assert parse_time(text) == time
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "1772438400000",
        "2026-03-02T",
        "2026-03-02T08",
        "2026-3-2T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-13-01T08:00:00.000Z",
        "2026-03-02T23:59:60.000Z",
        "2026-03-02T08:00:00+24:00",
        "2026-03-02T08:00:00ZZ",
        "0000-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "٢026-03-02T08:00:00.000Z",
        "2026-03-02T08:00:00.000\ud800Z",
        "\0",
    ],
)
def test_what_is_no_time_is_refused_with_an_example_of_one(text: str) -> None:
    assert complaint(parse_time, text) == (
        f"expected a time such as 2026-03-02T08:00:00.000Z, got {text!r}"
    )


@given(st.text() | st.from_regex(r"\A[0-9]{4}-..-..T[-+:.,0-9TWZ]{12}Z\Z"))
def test_whatever_text_is_read_gives_a_time_in_utc_or_a_refusal(text: str) -> None:
    try:
        time = parse_time(text)
    except InvalidInputError:
        return
    assert time.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_to_the_microsecond_survives_being_written_and_read(time: datetime) -> None:
    assert parse_time(format_time(time)) == time


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_to_the_millisecond_is_written_in_twenty_four_characters(time: datetime) -> None:
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)

    written = format_time(time)

    assert len(written) == len("2026-03-02T08:00:00.000Z")
    assert parse_time(written) == time


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(-23 * 60, 23 * 60),
)
def test_a_time_is_the_same_in_every_zone(time: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))

    assert parse_time(time.astimezone(zone).isoformat()) == time


@given(st.lists(st.datetimes(timezones=st.just(UTC)), max_size=5))
def test_times_in_milliseconds_sort_as_text_as_they_do_in_time(times: list[datetime]) -> None:
    whole = [time.replace(microsecond=0) for time in times]

    assert [parse_time(text) for text in sorted(map(format_time, whole))] == sorted(whole)


def test_a_text_from_outside_is_cut_to_fit_into_a_message() -> None:
    assert shorten("x" * 80) == "x" * 80
    assert shorten("x" * 81) == "x" * 79 + "…"


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T08:00:00,123456Z",
        "2026-03-02T08:00:00.12345xZ",
        "2026-W09-1T08:00:00.123456Z",
        "2026-03-02T080000.12345678Z",
        "2026-02-30T08:00:00.123456Z",
    ],
)
def test_a_text_that_only_looks_like_a_time_to_the_microsecond_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_time(text)
